ALTER TABLE "sync"."listings" ADD COLUMN "certified_since" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "sync"."runs" ADD COLUMN "looks" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "sync"."runs" ADD COLUMN "first_looked_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "runs_complete_idx" ON "sync"."runs" USING btree ("stream","project_id","started_at") WHERE certificate = 'complete';