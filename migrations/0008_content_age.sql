ALTER TABLE "sync"."listings" ADD COLUMN "content_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "sync"."listings" ADD COLUMN "proof" text;--> statement-breakpoint
ALTER TABLE "sync"."runs" ADD COLUMN "content_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "sync"."runs" ADD COLUMN "proof" text;