ALTER TYPE "public"."attempt_outcome" ADD VALUE 'crashed';--> statement-breakpoint
ALTER TABLE "jobs" DROP CONSTRAINT "ck_jobs_retries";--> statement-breakpoint
ALTER TABLE "workers" ADD COLUMN "contact_since" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "max_crashes" integer DEFAULT 3 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "crash_count" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "ck_jobs_retries" CHECK ("jobs"."retry_count" between 0 and "jobs"."max_retries" and "jobs"."crash_count" between 0 and "jobs"."max_crashes");