CREATE TABLE "graphs" (
	"name" text PRIMARY KEY NOT NULL,
	"description" text,
	"error" text,
	"registered_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "job_interrupts" (
	"job_id" uuid NOT NULL,
	"interrupt_id" text NOT NULL,
	"kind" text NOT NULL,
	"value" jsonb NOT NULL,
	"schema" jsonb,
	"deadline_at" timestamp with time zone,
	"on_deadline" text DEFAULT 'fail' NOT NULL,
	"default_answer" jsonb,
	"answer" jsonb,
	"answered_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "job_interrupts_job_id_interrupt_id_pk" PRIMARY KEY("job_id","interrupt_id"),
	CONSTRAINT "ck_job_interrupts_answered" CHECK (("job_interrupts"."answered_at" is null) = ("job_interrupts"."answer" is null)),
	CONSTRAINT "ck_job_interrupts_on_deadline" CHECK ("job_interrupts"."on_deadline" in ('fail', 'default')),
	CONSTRAINT "ck_job_interrupts_default" CHECK ("job_interrupts"."on_deadline" <> 'default' or "job_interrupts"."default_answer" is not null)
);
--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "checkpoint_id" text;--> statement-breakpoint
ALTER TABLE "job_attempts" ADD COLUMN "usage" jsonb;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "usage" jsonb;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "budget" jsonb;--> statement-breakpoint
ALTER TABLE "job_interrupts" ADD CONSTRAINT "job_interrupts_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idx_job_interrupts_deadline" ON "job_interrupts" USING btree ("deadline_at") WHERE "job_interrupts"."answered_at" is null and "job_interrupts"."deadline_at" is not null;