/** The jobs, and the indexes that each verb of the queue lives on. */
import { sql } from "drizzle-orm";
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { jobStatus, jobHold, at, createdAt } from "./columns.ts";
import { decisionSets } from "./decision-sets.ts";

export const jobs = pgTable(
  "jobs",
  {
    id: uuid().primaryKey(),
    /** Submit order by the database's own count: ids and times may tie or run backwards, this cannot. */
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
    /** The worker of the last claim; kept when the job has ended. */
    lastWorkerId: text("last_worker_id"),
    /** When the last claim was made. */
    claimedAt: at("claimed_at"),
    attempt: integer().notNull().default(0),
    maxRetries: integer("max_retries").notNull().default(3),
    retryCount: integer("retry_count").notNull().default(0),
    /** How many crashes the job may survive: the next one makes it a dead letter. */
    maxCrashes: integer("max_crashes").notNull().default(3),
    /** How many crashes it has survived: attempts whose process died, froze or was cut off. */
    crashCount: integer("crash_count").notNull().default(0),
    errorMessage: text("error_message"),
    idempotencyKey: text("idempotency_key"),
    /** What was asked with the idempotency key, as `hashTurn` writes it; null where nobody compares it. */
    requestHash: text("request_hash"),
    /** At most one unfinished job of an owner and type has it. */
    uniqueKey: text("unique_key"),
    /** What the queue's limits per key count, such as a user; null for jobs that count for none. */
    limitKey: text("limit_key"),
    /** How many jobs it still waits for. */
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
    /** What the present attempt, or the one that completed the job, has used of models; null when nothing. */
    usage: jsonb(),
    /** How much of models all attempts together may use; null without a bound. */
    budget: jsonb(),
    traceContext: jsonb("trace_context"),
    /** The number of the job's last event. */
    eventSeq: integer("event_seq").notNull().default(0),
    createdAt: createdAt(),
    startedAt: at("started_at"),
    completedAt: at("completed_at"),
    /** When an operator put a dead letter aside. */
    discardedAt: at("discarded_at"),
  },
  // oxlint-disable-next-line max-lines-per-function -- a list of indexes and checks
  (table) => [
    // The claim reads only jobs that are ready: finished, scheduled, held and running ones are not in it.
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
    // One head per thread: two jobs of a thread can never be ready or running at once. Jobs of no thread stay out of it.
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
    // Those of a limited key that hold one of its places, and those that wait for one.
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
    // The lists. Completed jobs are most of the table and found by the first; each of the others holds few.
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
    // For retention: costs next to nothing to keep, and old rows lie together.
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
