DROP VIEW IF EXISTS "bi"."cluster_events";
DROP VIEW IF EXISTS "bi"."open_cluster_events";
DROP VIEW IF EXISTS "bi"."event_response_times";
DROP VIEW IF EXISTS "bi"."cluster_events_hourly";
DROP VIEW IF EXISTS "bi"."clusters";
DROP VIEW IF EXISTS "bi"."kubernetes_clusters";
DROP VIEW IF EXISTS "bi"."cluster_risk";
DROP VIEW IF EXISTS "bi"."cluster_risk_daily";
DROP VIEW IF EXISTS "bi"."image_vulnerabilities";
DROP VIEW IF EXISTS "bi"."image_vulnerability_operations";
DROP VIEW IF EXISTS "bi"."vulnerability_handling_daily";
DROP VIEW IF EXISTS "bi"."audit_instances";
DROP VIEW IF EXISTS "bi"."audit_reports";
DROP VIEW IF EXISTS "bi"."audit_report_jobs";
DROP VIEW IF EXISTS "bi"."stream_freshness";
DROP VIEW IF EXISTS "bi"."sync_runs";
DROP VIEW IF EXISTS "bi"."sync_drift";
DROP VIEW IF EXISTS "bi"."sync_rejects";
--> statement-breakpoint
CREATE TABLE "sync"."stream_targets" (
	"stream" text PRIMARY KEY NOT NULL,
	"target_seconds" bigint NOT NULL,
	"written_at" timestamp (3) with time zone NOT NULL
);
