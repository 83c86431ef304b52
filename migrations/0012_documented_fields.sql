DROP INDEX "dbss"."audit_reports_end_time_idx";--> statement-breakpoint
DROP INDEX "hss"."cluster_events_create_time_idx";--> statement-breakpoint
DROP INDEX "hss"."image_vulnerability_operations_handle_time_idx";--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances_history" ADD COLUMN "timezone" text;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances_history" ADD COLUMN "supported_feature" jsonb;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances_history" ADD COLUMN "binding_db_type" text;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances_history" ADD COLUMN "failed_reason" text;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances_history" ADD COLUMN "upgrade_log" text;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances" ADD COLUMN "timezone" text;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances" ADD COLUMN "supported_feature" jsonb;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances" ADD COLUMN "binding_db_type" text;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances" ADD COLUMN "failed_reason" text;--> statement-breakpoint
ALTER TABLE "dbss"."audit_instances" ADD COLUMN "upgrade_log" text;