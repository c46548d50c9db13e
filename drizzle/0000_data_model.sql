CREATE TYPE "public"."attempt_outcome" AS ENUM('completed', 'failed', 'lease_expired', 'released', 'cancelled', 'waiting', 'timed_out');--> statement-breakpoint
CREATE TYPE "public"."job_hold" AS ENUM('time', 'thread', 'dependency', 'paused', 'limit');--> statement-breakpoint
CREATE TYPE "public"."job_status" AS ENUM('queued', 'running', 'waiting', 'completed', 'failed', 'cancelled');--> statement-breakpoint
CREATE TYPE "public"."message_role" AS ENUM('user', 'assistant', 'system', 'tool');--> statement-breakpoint
CREATE TABLE "decision_versions" (
	"decision_set_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"job_id" uuid,
	"requirements" jsonb NOT NULL,
	"plan" jsonb NOT NULL,
	"alternatives" jsonb NOT NULL,
	"costs" jsonb NOT NULL,
	"risks" jsonb NOT NULL,
	"policy" jsonb NOT NULL,
	"rationale" text NOT NULL,
	"diff" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "decision_versions_decision_set_id_version_pk" PRIMARY KEY("decision_set_id","version"),
	CONSTRAINT "ck_decision_versions_version" CHECK ("decision_versions"."version" >= 1)
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"id" uuid PRIMARY KEY NOT NULL,
	"seq" bigint GENERATED ALWAYS AS IDENTITY (sequence name "messages_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"decision_set_id" uuid NOT NULL,
	"job_id" uuid,
	"parent_id" uuid,
	"role" "message_role" NOT NULL,
	"content" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "decision_sets" (
	"id" uuid PRIMARY KEY NOT NULL,
	"thread_id" uuid NOT NULL,
	"owner_id" text NOT NULL,
	"title" text NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"current_version" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"pruned_at" timestamp with time zone,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ck_decision_sets_version" CHECK ("decision_sets"."current_version" >= 0),
	CONSTRAINT "ck_decision_sets_status" CHECK ("decision_sets"."status" in ('active', 'archived'))
);
--> statement-breakpoint
CREATE TABLE "job_types" (
	"name" text PRIMARY KEY NOT NULL,
	"paused" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE TABLE "limit_keys" (
	"queue" text NOT NULL,
	"key" text NOT NULL,
	"arrival_at" timestamp with time zone DEFAULT now() NOT NULL,
	"admit_at" timestamp with time zone,
	CONSTRAINT "limit_keys_queue_key_pk" PRIMARY KEY("queue","key")
);
--> statement-breakpoint
CREATE TABLE "queues" (
	"name" text PRIMARY KEY NOT NULL,
	"paused" boolean DEFAULT false NOT NULL,
	"limits" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "schedules" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" text NOT NULL,
	"name" text NOT NULL,
	"cron" text NOT NULL,
	"time_zone" text DEFAULT 'UTC' NOT NULL,
	"job_type" text NOT NULL,
	"queue" text DEFAULT 'default' NOT NULL,
	"payload" jsonb NOT NULL,
	"priority" integer DEFAULT 0 NOT NULL,
	"missed_runs" text DEFAULT 'skip' NOT NULL,
	"paused" boolean DEFAULT false NOT NULL,
	"next_run_at" timestamp with time zone,
	"last_run_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ck_schedules_missed_runs" CHECK ("schedules"."missed_runs" in ('skip', 'run_once'))
);
--> statement-breakpoint
CREATE TABLE "workers" (
	"id" text PRIMARY KEY NOT NULL,
	"host" text NOT NULL,
	"pid" integer NOT NULL,
	"version" text NOT NULL,
	"concurrency" integer NOT NULL,
	"running" integer DEFAULT 0 NOT NULL,
	"state" text DEFAULT 'active' NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"heartbeat_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ck_workers_state" CHECK ("workers"."state" in ('active', 'draining', 'stopped')),
	CONSTRAINT "ck_workers_running" CHECK ("workers"."running" >= 0 and "workers"."concurrency" >= 1)
);
--> statement-breakpoint
CREATE TABLE "job_attempts" (
	"job_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"worker_id" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone,
	"outcome" "attempt_outcome",
	"error_name" text,
	"error_message" text,
	"error_stack" text,
	CONSTRAINT "job_attempts_job_id_attempt_pk" PRIMARY KEY("job_id","attempt"),
	CONSTRAINT "ck_job_attempts_attempt" CHECK ("job_attempts"."attempt" >= 1),
	CONSTRAINT "ck_job_attempts_ended" CHECK (("job_attempts"."ended_at" is null) = ("job_attempts"."outcome" is null))
);
--> statement-breakpoint
CREATE TABLE "job_dependencies" (
	"job_id" uuid NOT NULL,
	"depends_on" uuid NOT NULL,
	CONSTRAINT "job_dependencies_job_id_depends_on_pk" PRIMARY KEY("job_id","depends_on"),
	CONSTRAINT "ck_job_dependencies_self" CHECK ("job_dependencies"."job_id" <> "job_dependencies"."depends_on")
);
--> statement-breakpoint
CREATE TABLE "job_events" (
	"job_id" uuid NOT NULL,
	"seq" integer NOT NULL,
	"attempt" integer NOT NULL,
	"type" text NOT NULL,
	"data" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "job_events_job_id_seq_pk" PRIMARY KEY("job_id","seq"),
	CONSTRAINT "ck_job_events_seq" CHECK ("job_events"."seq" >= 1)
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" uuid PRIMARY KEY NOT NULL,
	"seq" bigint GENERATED ALWAYS AS IDENTITY (sequence name "jobs_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"owner_id" text NOT NULL,
	"decision_set_id" uuid,
	"thread_id" uuid,
	"job_type" text NOT NULL,
	"queue" text DEFAULT 'default' NOT NULL,
	"status" "job_status" DEFAULT 'queued' NOT NULL,
	"hold" "job_hold",
	"priority" integer DEFAULT 0 NOT NULL,
	"payload" jsonb NOT NULL,
	"worker_id" text,
	"lease_expires_at" timestamp with time zone,
	"last_worker_id" text,
	"claimed_at" timestamp with time zone,
	"attempt" integer DEFAULT 0 NOT NULL,
	"max_retries" integer DEFAULT 3 NOT NULL,
	"retry_count" integer DEFAULT 0 NOT NULL,
	"error_message" text,
	"idempotency_key" text,
	"unique_key" text,
	"limit_key" text,
	"pending_dependencies" integer DEFAULT 0 NOT NULL,
	"has_dependents" boolean DEFAULT false NOT NULL,
	"on_dependency_failure" text DEFAULT 'fail' NOT NULL,
	"schedule_id" uuid,
	"scheduled_for" timestamp with time zone,
	"timeout_ms" integer,
	"run_at" timestamp with time zone DEFAULT now() NOT NULL,
	"cancel_requested_at" timestamp with time zone,
	"progress" jsonb,
	"result" jsonb,
	"interrupt" jsonb,
	"trace_context" jsonb,
	"event_seq" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	"discarded_at" timestamp with time zone,
	CONSTRAINT "ck_jobs_retries" CHECK ("jobs"."retry_count" between 0 and "jobs"."max_retries"),
	CONSTRAINT "ck_jobs_attempt" CHECK ("jobs"."attempt" >= 0 and "jobs"."event_seq" >= 0),
	CONSTRAINT "ck_jobs_lease" CHECK (("jobs"."status" = 'running') = ("jobs"."worker_id" is not null) and ("jobs"."status" = 'running') = ("jobs"."lease_expires_at" is not null)),
	CONSTRAINT "ck_jobs_ended" CHECK (("jobs"."status" in ('completed', 'failed', 'cancelled')) = ("jobs"."completed_at" is not null)),
	CONSTRAINT "ck_jobs_hold" CHECK ("jobs"."hold" is null or "jobs"."status" = 'queued'),
	CONSTRAINT "ck_jobs_thread_hold" CHECK ("jobs"."hold" is distinct from 'thread' or "jobs"."thread_id" is not null),
	CONSTRAINT "ck_jobs_timeout" CHECK ("jobs"."timeout_ms" > 0),
	CONSTRAINT "ck_jobs_dependencies" CHECK ("jobs"."pending_dependencies" >= 0),
	CONSTRAINT "ck_jobs_on_dependency_failure" CHECK ("jobs"."on_dependency_failure" in ('fail', 'run'))
);
--> statement-breakpoint
ALTER TABLE "decision_versions" ADD CONSTRAINT "decision_versions_decision_set_id_decision_sets_id_fk" FOREIGN KEY ("decision_set_id") REFERENCES "public"."decision_sets"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "decision_versions" ADD CONSTRAINT "decision_versions_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_decision_set_id_decision_sets_id_fk" FOREIGN KEY ("decision_set_id") REFERENCES "public"."decision_sets"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_parent_id_messages_id_fk" FOREIGN KEY ("parent_id") REFERENCES "public"."messages"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_attempts" ADD CONSTRAINT "job_attempts_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_dependencies" ADD CONSTRAINT "job_dependencies_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_dependencies" ADD CONSTRAINT "job_dependencies_depends_on_jobs_id_fk" FOREIGN KEY ("depends_on") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_events" ADD CONSTRAINT "job_events_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_decision_set_id_decision_sets_id_fk" FOREIGN KEY ("decision_set_id") REFERENCES "public"."decision_sets"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "uq_decision_versions_job" ON "decision_versions" USING btree ("job_id") WHERE "decision_versions"."job_id" is not null;--> statement-breakpoint
CREATE INDEX "idx_messages_set_seq" ON "messages" USING btree ("decision_set_id","seq");--> statement-breakpoint
CREATE INDEX "idx_messages_parent" ON "messages" USING btree ("parent_id");--> statement-breakpoint
CREATE UNIQUE INDEX "uq_messages_job_role" ON "messages" USING btree ("job_id","role") WHERE "messages"."job_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "uq_decision_sets_thread" ON "decision_sets" USING btree ("thread_id");--> statement-breakpoint
CREATE INDEX "idx_decision_sets_owner_updated" ON "decision_sets" USING btree ("owner_id","updated_at" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "idx_decision_sets_idle" ON "decision_sets" USING btree ("updated_at") WHERE "decision_sets"."pruned_at" is null or "decision_sets"."pruned_at" < "decision_sets"."updated_at";--> statement-breakpoint
CREATE INDEX "idx_limit_keys_admit" ON "limit_keys" USING btree ("admit_at") WHERE "limit_keys"."admit_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "uq_schedules_owner_name" ON "schedules" USING btree ("owner_id","name");--> statement-breakpoint
CREATE INDEX "idx_schedules_next_run" ON "schedules" USING btree ("next_run_at") WHERE not "schedules"."paused";--> statement-breakpoint
CREATE INDEX "idx_job_dependencies_depends_on" ON "job_dependencies" USING btree ("depends_on");--> statement-breakpoint
CREATE INDEX "idx_jobs_queue_claim" ON "jobs" USING btree ("queue","priority" DESC NULLS FIRST,"owner_id" DESC NULLS FIRST,"seq") WHERE "jobs"."status" = 'queued' and "jobs"."hold" is null;--> statement-breakpoint
CREATE INDEX "idx_jobs_lease_expiry" ON "jobs" USING btree ("lease_expires_at") WHERE "jobs"."status" = 'running';--> statement-breakpoint
CREATE INDEX "idx_jobs_due" ON "jobs" USING btree ("run_at") WHERE "jobs"."status" = 'queued' and "jobs"."hold" = 'time';--> statement-breakpoint
CREATE INDEX "idx_jobs_thread_line" ON "jobs" USING btree ("thread_id","seq") WHERE "jobs"."status" = 'queued' and "jobs"."hold" = 'thread';--> statement-breakpoint
CREATE UNIQUE INDEX "uq_jobs_thread_head" ON "jobs" USING btree ("thread_id") WHERE "jobs"."status" in ('running', 'waiting') or ("jobs"."status" = 'queued' and "jobs"."hold" is distinct from 'thread');--> statement-breakpoint
CREATE UNIQUE INDEX "uq_jobs_idempotency_key" ON "jobs" USING btree ("owner_id","idempotency_key") WHERE "jobs"."idempotency_key" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "uq_jobs_unique_key" ON "jobs" USING btree ("owner_id","job_type","unique_key") WHERE "jobs"."unique_key" is not null and "jobs"."status" in ('queued', 'running', 'waiting');--> statement-breakpoint
CREATE UNIQUE INDEX "uq_jobs_schedule_tick" ON "jobs" USING btree ("schedule_id","scheduled_for") WHERE "jobs"."schedule_id" is not null;--> statement-breakpoint
CREATE INDEX "idx_jobs_limit_places" ON "jobs" USING btree ("queue","limit_key") WHERE "jobs"."limit_key" is not null and ("jobs"."status" = 'running' or ("jobs"."status" = 'queued' and "jobs"."hold" is null));--> statement-breakpoint
CREATE INDEX "idx_jobs_limit_line" ON "jobs" USING btree ("queue","limit_key","priority" DESC NULLS FIRST,"seq") WHERE "jobs"."status" = 'queued' and "jobs"."hold" = 'limit';--> statement-breakpoint
CREATE INDEX "idx_jobs_paused" ON "jobs" USING btree ("job_type") WHERE "jobs"."status" = 'queued' and "jobs"."hold" = 'paused';--> statement-breakpoint
CREATE INDEX "idx_jobs_owner_seq" ON "jobs" USING btree ("owner_id","seq" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "idx_jobs_owner_queued" ON "jobs" USING btree ("owner_id","seq" DESC NULLS FIRST) WHERE "jobs"."status" = 'queued';--> statement-breakpoint
CREATE INDEX "idx_jobs_owner_status" ON "jobs" USING btree ("owner_id","status","seq" DESC NULLS FIRST) WHERE "jobs"."status" in ('waiting', 'failed', 'cancelled');--> statement-breakpoint
CREATE INDEX "idx_jobs_thread_seq" ON "jobs" USING btree ("thread_id","seq") WHERE "jobs"."thread_id" is not null;--> statement-breakpoint
CREATE INDEX "idx_jobs_decision_set" ON "jobs" USING btree ("decision_set_id") WHERE "jobs"."decision_set_id" is not null;--> statement-breakpoint
CREATE INDEX "idx_jobs_completed_at" ON "jobs" USING brin ("completed_at");