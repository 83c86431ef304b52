CREATE TABLE "hss"."policy_groups_history" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"group_name" text,
	"group_id" text NOT NULL,
	"description" text,
	"host_num" bigint,
	"default_group" boolean,
	"deletable" boolean,
	"support_os" text,
	"support_version" text,
	"protect_mode" text,
	"_extra" jsonb,
	"_valid_from" timestamp (3) with time zone NOT NULL,
	"_valid_to" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "policy_groups_history_pk" PRIMARY KEY("project_id","group_id","_valid_from")
);
--> statement-breakpoint
CREATE TABLE "hss"."policy_groups" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"group_name" text,
	"group_id" text NOT NULL,
	"description" text,
	"host_num" bigint,
	"default_group" boolean,
	"deletable" boolean,
	"support_os" text,
	"support_version" text,
	"protect_mode" text,
	"_extra" jsonb,
	"_hash" "bytea" NOT NULL,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "policy_groups_pk" PRIMARY KEY("project_id","group_id")
);
