CREATE TABLE "dbss"."audit_operation_logs" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"instance_id" text NOT NULL,
	"id" text NOT NULL,
	"user" text,
	"time" timestamp (3) with time zone,
	"action" text,
	"function" text,
	"name" text,
	"description" text,
	"result" text,
	"_extra" jsonb,
	"_hash" "bytea" NOT NULL,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "audit_operation_logs_pk" PRIMARY KEY("project_id","instance_id","id")
);
--> statement-breakpoint
CREATE TABLE "hss"."alarm_whitelist_history" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"entry_key" text NOT NULL,
	"enterprise_project_name" text,
	"hash" text,
	"description" text,
	"event_type" bigint,
	"white_field" text,
	"field_value" text,
	"judge_type" text,
	"update_time" timestamp (3) with time zone,
	"_extra" jsonb,
	"_valid_from" timestamp (3) with time zone NOT NULL,
	"_valid_to" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "alarm_whitelist_history_pk" PRIMARY KEY("project_id","entry_key","_valid_from")
);
--> statement-breakpoint
CREATE TABLE "hss"."alarm_whitelist" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"entry_key" text NOT NULL,
	"enterprise_project_name" text,
	"hash" text,
	"description" text,
	"event_type" bigint,
	"white_field" text,
	"field_value" text,
	"judge_type" text,
	"update_time" timestamp (3) with time zone,
	"_extra" jsonb,
	"_hash" "bytea" NOT NULL,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "alarm_whitelist_pk" PRIMARY KEY("project_id","entry_key")
);
--> statement-breakpoint
CREATE TABLE "hss"."cluster_risk_resources" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"cluster_id" text NOT NULL,
	"risk_id" text NOT NULL,
	"resource_name" text,
	"resource_id" text NOT NULL,
	"resource_type" text,
	"namespace" text,
	"hit_rule" text,
	"hit_path_list" jsonb,
	"first_scan_time" timestamp (3) with time zone,
	"last_scan_time" timestamp (3) with time zone,
	"_extra" jsonb,
	"_hash" "bytea" NOT NULL,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "cluster_risk_resources_pk" PRIMARY KEY("project_id","cluster_id","risk_id","resource_id")
);
--> statement-breakpoint
CREATE TABLE "hss"."host_app_changes" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"operation_key" text NOT NULL,
	"agent_id" text,
	"variation_type" text,
	"host_id" text,
	"app_name" text,
	"host_name" text,
	"host_ip" text,
	"version" text,
	"update_time" timestamp (3) with time zone,
	"recent_scan_time" timestamp (3) with time zone,
	"_extra" jsonb,
	"_hash" "bytea" NOT NULL,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "host_app_changes_pk" PRIMARY KEY("project_id","operation_key")
);
--> statement-breakpoint
CREATE TABLE "hss"."host_auto_launch_changes" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"operation_key" text NOT NULL,
	"agent_id" text,
	"variation_type" text,
	"type" bigint,
	"host_id" text,
	"host_name" text,
	"host_ip" text,
	"path" text,
	"hash" text,
	"run_user" text,
	"name" text,
	"recent_scan_time" timestamp (3) with time zone,
	"_extra" jsonb,
	"_hash" "bytea" NOT NULL,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "host_auto_launch_changes_pk" PRIMARY KEY("project_id","operation_key")
);
--> statement-breakpoint
CREATE TABLE "hss"."host_user_changes" (
	"project_id" text NOT NULL,
	"region" text NOT NULL,
	"account" text NOT NULL,
	"operation_key" text NOT NULL,
	"agent_id" text,
	"change_type" text,
	"host_id" text,
	"host_name" text,
	"private_ip" text,
	"login_permission" boolean,
	"root_permission" boolean,
	"user_group_name" text,
	"user_home_dir" text,
	"shell" text,
	"user_name" text,
	"expire_time" timestamp (3) with time zone,
	"recent_scan_time" timestamp (3) with time zone,
	"_extra" jsonb,
	"_hash" "bytea" NOT NULL,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "host_user_changes_pk" PRIMARY KEY("project_id","operation_key")
);
--> statement-breakpoint
CREATE INDEX "audit_operation_logs_time_idx" ON "dbss"."audit_operation_logs" USING btree ("time");--> statement-breakpoint
CREATE INDEX "alarm_whitelist_event_type_idx" ON "hss"."alarm_whitelist" USING btree ("event_type");--> statement-breakpoint
CREATE INDEX "cluster_risk_resources_risk_id_idx" ON "hss"."cluster_risk_resources" USING btree ("risk_id");--> statement-breakpoint
CREATE INDEX "host_app_changes_recent_scan_time_idx" ON "hss"."host_app_changes" USING btree ("recent_scan_time");--> statement-breakpoint
CREATE INDEX "host_app_changes_host_id_recent_scan_time_idx" ON "hss"."host_app_changes" USING btree ("host_id","recent_scan_time");--> statement-breakpoint
CREATE INDEX "host_auto_launch_changes_recent_scan_time_idx" ON "hss"."host_auto_launch_changes" USING btree ("recent_scan_time");--> statement-breakpoint
CREATE INDEX "host_auto_launch_changes_host_id_recent_scan_time_idx" ON "hss"."host_auto_launch_changes" USING btree ("host_id","recent_scan_time");--> statement-breakpoint
CREATE INDEX "host_user_changes_recent_scan_time_idx" ON "hss"."host_user_changes" USING btree ("recent_scan_time");--> statement-breakpoint
CREATE INDEX "host_user_changes_host_id_recent_scan_time_idx" ON "hss"."host_user_changes" USING btree ("host_id","recent_scan_time");