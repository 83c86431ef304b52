CREATE TABLE "hss"."host_vulnerability_cves" (
	"project_id" text NOT NULL,
	"host_id" text NOT NULL,
	"vul_id" text NOT NULL,
	"type" text NOT NULL,
	"cve_id" text NOT NULL,
	"cvss" double precision,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "host_vulnerability_cves_pk" PRIMARY KEY("project_id","type","host_id","vul_id","cve_id")
);
--> statement-breakpoint
CREATE TABLE "hss"."image_vulnerability_cves" (
	"project_id" text NOT NULL,
	"vul_id" text NOT NULL,
	"image_type" text NOT NULL,
	"type" text NOT NULL,
	"handle_status" text NOT NULL,
	"cve_id" text NOT NULL,
	"cvss" double precision,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "image_vulnerability_cves_pk" PRIMARY KEY("project_id","image_type","handle_status","type","vul_id","cve_id")
);
--> statement-breakpoint
CREATE TABLE "hss"."vulnerable_apps_of_hosts" (
	"project_id" text NOT NULL,
	"host_id" text NOT NULL,
	"type" text NOT NULL,
	"vul_id" text NOT NULL,
	"app_name" text NOT NULL,
	"app_version" text NOT NULL,
	"app_path" text NOT NULL,
	"upgrade_version" text,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "vulnerable_apps_of_hosts_pk" PRIMARY KEY("project_id","host_id","type","vul_id","app_name","app_version","app_path")
);
--> statement-breakpoint
CREATE TABLE "hss"."vulnerability_cves" (
	"project_id" text NOT NULL,
	"vul_id" text NOT NULL,
	"type" text NOT NULL,
	"handle_status" text NOT NULL,
	"cve_id" text NOT NULL,
	"cvss" double precision,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "vulnerability_cves_pk" PRIMARY KEY("project_id","type","handle_status","vul_id","cve_id")
);
--> statement-breakpoint
CREATE TABLE "hss"."weak_password_accounts" (
	"project_id" text NOT NULL,
	"host_id" text NOT NULL,
	"user_name" text NOT NULL,
	"service_type" text NOT NULL,
	"duration" bigint,
	"suggestion" text,
	"_first_seen_at" timestamp (3) with time zone NOT NULL,
	"_changed_at" timestamp (3) with time zone NOT NULL,
	"_deleted_at" timestamp (3) with time zone,
	CONSTRAINT "weak_password_accounts_pk" PRIMARY KEY("project_id","host_id","user_name","service_type")
);
--> statement-breakpoint
CREATE INDEX "host_vulnerability_cves_cve_id_idx" ON "hss"."host_vulnerability_cves" USING btree ("cve_id");--> statement-breakpoint
CREATE INDEX "image_vulnerability_cves_cve_id_idx" ON "hss"."image_vulnerability_cves" USING btree ("cve_id");--> statement-breakpoint
CREATE INDEX "vulnerable_apps_of_hosts_app_name_app_version_app_path_idx" ON "hss"."vulnerable_apps_of_hosts" USING btree ("app_name","app_version","app_path");--> statement-breakpoint
CREATE INDEX "vulnerability_cves_cve_id_idx" ON "hss"."vulnerability_cves" USING btree ("cve_id");--> statement-breakpoint
CREATE INDEX "weak_password_accounts_user_name_service_type_idx" ON "hss"."weak_password_accounts" USING btree ("user_name","service_type");