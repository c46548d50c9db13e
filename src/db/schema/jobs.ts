/** The jobs, and the indexes that the verbs of the queue use. */
import { sql } from "drizzle-orm";
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { jobStatus, jobHold, at, createdAt } from "./columns.ts";
import { decisionSets } from "./decision-sets.ts";

export const jobs = pgTable(
  "jobs",
  {
    id: uuid().primaryKey(),
    /** Submit order. Unlike ids and times, an identity column cannot tie or run backwards. */
    seq: bigint({ mode: "number" }).notNull().generatedAlwaysAsIdentity(),
    ownerId: text("owner_id").notNull(),
    decisionSetId: uuid("decision_set_id").references(() => decisionSets.id, { onDelete: "cascade" }),
    threadId: uuid("thread_id"),
    jobType: text("job_type").notNull(),
    queue: text().notNull().default("default"),
    status: jobStatus().notNull().default("queued"),
    hold: jobHold(),
    priority: integer().notNull().default(0),
    payload: jsonb().notNull(),
    workerId: text("worker_id"),
    leaseExpiresAt: at("lease_expires_at"),
    /** The worker of the last claim; kept after the job's end. */
    lastWorkerId: text("last_worker_id"),
    /** The time of the last claim. */
    claimedAt: at("claimed_at"),
    attempt: integer().notNull().default(0),
    maxRetries: integer("max_retries").notNull().default(3),
    retryCount: integer("retry_count").notNull().default(0),
    /** The crashes that the job may survive; the next one makes it a dead letter. */
    maxCrashes: integer("max_crashes").notNull().default(3),
    /** The crashes that it has survived: attempts whose process died, froze or was cut off. */
    crashCount: integer("crash_count").notNull().default(0),
    errorMessage: text("error_message"),
    idempotencyKey: text("idempotency_key"),
    /** A hash (`hashTurn`) of the request with the idempotency key; null when it is not compared. */
    requestHash: text("request_hash"),
    /** Unique among the unfinished jobs of an owner and type. */
    uniqueKey: text("unique_key"),
    /** The key of the queue's limits per key, such as a user; null for jobs without such a limit. */
    limitKey: text("limit_key"),
    /** The number of unfinished jobs that it waits for. */
    pendingDependencies: integer("pending_dependencies").notNull().default(0),
    hasDependents: boolean("has_dependents").notNull().default(false),
    onDependencyFailure: text("on_dependency_failure").notNull().default("fail"),
    scheduleId: uuid("schedule_id"),
    /** The tick of the schedule that made the job. */
    scheduledFor: at("scheduled_for"),
    timeoutMs: integer("timeout_ms"),
    runAt: at("run_at").notNull().defaultNow(),
    cancelRequestedAt: at("cancel_requested_at"),
    progress: jsonb(),
    result: jsonb(),
    /** The use of models by the present attempt, or by the attempt that completed the job; null when none. */
    usage: jsonb(),
    /** The limit on the use of models by all attempts together; null without one. */
    budget: jsonb(),
    traceContext: jsonb("trace_context"),
    /** The number of the job's last event. */
    eventSeq: integer("event_seq").notNull().default(0),
    createdAt: createdAt(),
    startedAt: at("started_at"),
    completedAt: at("completed_at"),
    /** When an operator discarded the dead letter. */
    discardedAt: at("discarded_at"),
  },
  // oxlint-disable-next-line max-lines-per-function -- a list of indexes and checks
  (table) => [
    // Contains only ready jobs: the cost of a claim must not depend on finished, scheduled, held or running jobs.
    index("idx_jobs_queue_claim")
      .on(table.queue, table.priority.desc().nullsFirst(), table.ownerId.desc().nullsFirst(), table.seq)
      .where(sql`${table.status} = 'queued' and ${table.hold} is null`),
    index("idx_jobs_lease_expiry")
      .on(table.leaseExpiresAt)
      .where(sql`${table.status} = 'running'`),
    index("idx_jobs_due")
      .on(table.runAt)
      .where(sql`${table.status} = 'queued' and ${table.hold} = 'time'`),
    index("idx_jobs_thread_line")
      .on(table.threadId, table.seq)
      .where(sql`${table.status} = 'queued' and ${table.hold} = 'thread'`),
    // One head per thread: two jobs of a thread can never be ready or running at once.
    uniqueIndex("uq_jobs_thread_head")
      .on(table.threadId)
      .where(
        sql`${table.threadId} is not null and (${table.status} in ('running', 'waiting') or (${table.status} = 'queued' and ${table.hold} is distinct from 'thread'))`,
      ),
    uniqueIndex("uq_jobs_idempotency_key")
      .on(table.ownerId, table.idempotencyKey)
      .where(sql`${table.idempotencyKey} is not null`),
    uniqueIndex("uq_jobs_unique_key")
      .on(table.ownerId, table.jobType, table.uniqueKey)
      .where(sql`${table.uniqueKey} is not null and ${table.status} in ('queued', 'running', 'waiting')`),
    uniqueIndex("uq_jobs_schedule_tick")
      .on(table.scheduleId, table.scheduledFor)
      .where(sql`${table.scheduleId} is not null`),
    // The jobs that hold a slot of a limited key; the next index has the jobs that wait for a slot.
    index("idx_jobs_limit_places")
      .on(table.queue, table.limitKey)
      .where(
        sql`${table.limitKey} is not null and (${table.status} = 'running' or (${table.status} = 'queued' and ${table.hold} is null))`,
      ),
    index("idx_jobs_limit_line")
      .on(table.queue, table.limitKey, table.priority.desc().nullsFirst(), table.seq)
      .where(sql`${table.status} = 'queued' and ${table.hold} = 'limit'`),
    index("idx_jobs_paused")
      .on(table.jobType)
      .where(sql`${table.status} = 'queued' and ${table.hold} = 'paused'`),
    // For lists. The first index finds completed jobs, which are most of the table; the others hold few jobs each.
    index("idx_jobs_owner_seq").on(table.ownerId, table.seq.desc().nullsFirst()),
    index("idx_jobs_owner_queued")
      .on(table.ownerId, table.seq.desc().nullsFirst())
      .where(sql`${table.status} = 'queued'`),
    index("idx_jobs_owner_status")
      .on(table.ownerId, table.status, table.seq.desc().nullsFirst())
      .where(sql`${table.status} in ('waiting', 'failed', 'cancelled')`),
    index("idx_jobs_thread_seq")
      .on(table.threadId, table.seq)
      .where(sql`${table.threadId} is not null`),
    index("idx_jobs_decision_set")
      .on(table.decisionSetId)
      .where(sql`${table.decisionSetId} is not null`),
    // For retention: BRIN costs next to nothing to maintain, and old rows lie together.
    index("idx_jobs_completed_at").using("brin", table.completedAt),
    check(
      "ck_jobs_retries",
      sql`${table.retryCount} between 0 and ${table.maxRetries} and ${table.crashCount} between 0 and ${table.maxCrashes}`,
    ),
    check("ck_jobs_attempt", sql`${table.attempt} >= 0 and ${table.eventSeq} >= 0`),
    check(
      "ck_jobs_lease",
      sql`(${table.status} = 'running') = (${table.workerId} is not null) and (${table.status} = 'running') = (${table.leaseExpiresAt} is not null)`,
    ),
    check(
      "ck_jobs_ended",
      sql`(${table.status} in ('completed', 'failed', 'cancelled')) = (${table.completedAt} is not null)`,
    ),
    check("ck_jobs_hold", sql`${table.hold} is null or ${table.status} = 'queued'`),
    check("ck_jobs_thread_hold", sql`${table.hold} is distinct from 'thread' or ${table.threadId} is not null`),
    check("ck_jobs_timeout", sql`${table.timeoutMs} > 0`),
    check("ck_jobs_dependencies", sql`${table.pendingDependencies} >= 0`),
    check("ck_jobs_on_dependency_failure", sql`${table.onDependencyFailure} in ('fail', 'run')`),
  ],
);
