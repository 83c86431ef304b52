CREATE TABLE "sync"."projects" (
	"project_id" text PRIMARY KEY NOT NULL,
	"account" text NOT NULL,
	"region" text NOT NULL,
	"targets" jsonb NOT NULL,
	"configuration" text,
	"seen_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
INSERT INTO "sync"."projects" ("project_id", "account", "region", "targets", "seen_at")
SELECT DISTINCT ON (r."project_id") r."project_id", r."account", r."region",
  coalesce((SELECT jsonb_object_agg(t."stream", t."target_seconds") FROM "sync"."stream_targets" t), '{}'), now()
FROM "sync"."runs" r
ORDER BY r."project_id", r."started_at" DESC;
