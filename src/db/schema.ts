/**
 * The data model; the SQL in `drizzle/` is generated from it. Constraints do the guarding: what must never be
 * stored is refused here, whoever writes it.
 */
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { ATTEMPT_OUTCOMES, HOLDS, JOB_STATUSES } from "#shared/job-states";
import { MESSAGE_ROLES } from "#shared/contracts";

export const jobStatus = pgEnum("job_status", JOB_STATUSES);
export const jobHold = pgEnum("job_hold", HOLDS);
export const attemptOutcome = pgEnum("attempt_outcome", ATTEMPT_OUTCOMES);
export const messageRole = pgEnum("message_role", MESSAGE_ROLES);

const at = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });
const createdAt = () => at("created_at").notNull().defaultNow();

export const decisionSets = pgTable(
  "decision_sets",
  {
    id: uuid().primaryKey(),
    threadId: uuid("thread_id").notNull(),
    ownerId: text("owner_id").notNull(),
    title: text().notNull(),
    status: text().notNull().default("active"),
    currentVersion: integer("current_version").notNull().default(0),
    createdAt: createdAt(),
    updatedAt: at("updated_at").notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex("uq_decision_sets_thread").on(table.threadId),
    index("idx_decision_sets_owner_updated").on(table.ownerId, table.updatedAt.desc().nullsFirst()),
    check("ck_decision_sets_version", sql`${table.currentVersion} >= 0`),
    check("ck_decision_sets_status", sql`${table.status} in ('active', 'archived')`),
  ],
);

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
    errorMessage: text("error_message"),
    idempotencyKey: text("idempotency_key"),
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
    interrupt: jsonb(),
    traceContext: jsonb("trace_context"),
    /** The number of the job's last event. */
    eventSeq: integer("event_seq").notNull().default(0),
    createdAt: createdAt(),
    startedAt: at("started_at"),
    completedAt: at("completed_at"),
    /** When an operator put a dead letter aside. */
    discardedAt: at("discarded_at"),
  },
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
    // One head per thread: two jobs of a thread can never be ready or running at once.
    uniqueIndex("uq_jobs_thread_head")
      .on(table.threadId)
      .where(
        sql`${table.status} in ('running', 'waiting') or (${table.status} = 'queued' and ${table.hold} is distinct from 'thread')`,
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
    check("ck_jobs_retries", sql`${table.retryCount} between 0 and ${table.maxRetries}`),
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

export const decisionVersions = pgTable(
  "decision_versions",
  {
    decisionSetId: uuid("decision_set_id")
      .notNull()
      .references(() => decisionSets.id, { onDelete: "cascade" }),
    version: integer().notNull(),
    jobId: uuid("job_id").references(() => jobs.id, { onDelete: "set null" }),
    requirements: jsonb().notNull(),
    plan: jsonb().notNull(),
    alternatives: jsonb().notNull(),
    costs: jsonb().notNull(),
    risks: jsonb().notNull(),
    policy: jsonb().notNull(),
    rationale: text().notNull(),
    diff: jsonb().notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.decisionSetId, table.version] }),
    uniqueIndex("uq_decision_versions_job")
      .on(table.jobId)
      .where(sql`${table.jobId} is not null`),
    check("ck_decision_versions_version", sql`${table.version} >= 1`),
  ],
);

export const messages = pgTable(
  "messages",
  {
    id: uuid().primaryKey(),
    seq: bigint({ mode: "number" }).notNull().generatedAlwaysAsIdentity(),
    decisionSetId: uuid("decision_set_id")
      .notNull()
      .references(() => decisionSets.id, { onDelete: "cascade" }),
    jobId: uuid("job_id").references(() => jobs.id, { onDelete: "set null" }),
    parentId: uuid("parent_id"),
    role: messageRole().notNull(),
    content: text().notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    foreignKey({ columns: [table.parentId], foreignColumns: [table.id] }).onDelete("set null"),
    index("idx_messages_set_seq").on(table.decisionSetId, table.seq),
    index("idx_messages_parent").on(table.parentId),
    // A job's turn has one user message and one reply, whatever is retried.
    uniqueIndex("uq_messages_job_role")
      .on(table.jobId, table.role)
      .where(sql`${table.jobId} is not null`),
  ],
);

export const jobAttempts = pgTable(
  "job_attempts",
  {
    jobId: uuid("job_id")
      .notNull()
      .references(() => jobs.id, { onDelete: "cascade" }),
    attempt: integer().notNull(),
    workerId: text("worker_id").notNull(),
    startedAt: at("started_at").notNull().defaultNow(),
    endedAt: at("ended_at"),
    outcome: attemptOutcome(),
    errorName: text("error_name"),
    errorMessage: text("error_message"),
    errorStack: text("error_stack"),
  },
  (table) => [
    primaryKey({ columns: [table.jobId, table.attempt] }),
    check("ck_job_attempts_attempt", sql`${table.attempt} >= 1`),
    check("ck_job_attempts_ended", sql`(${table.endedAt} is null) = (${table.outcome} is null)`),
  ],
);

export const jobEvents = pgTable(
  "job_events",
  {
    jobId: uuid("job_id")
      .notNull()
      .references(() => jobs.id, { onDelete: "cascade" }),
    seq: integer().notNull(),
    attempt: integer().notNull(),
    type: text().notNull(),
    data: jsonb().notNull().default({}),
    createdAt: createdAt(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.seq] }), check("ck_job_events_seq", sql`${table.seq} >= 1`)],
);

/** Which jobs a job waits for. */
export const jobDependencies = pgTable(
  "job_dependencies",
  {
    jobId: uuid("job_id")
      .notNull()
      .references(() => jobs.id, { onDelete: "cascade" }),
    dependsOn: uuid("depends_on")
      .notNull()
      .references(() => jobs.id, { onDelete: "cascade" }),
  },
  (table) => [
    primaryKey({ columns: [table.jobId, table.dependsOn] }),
    index("idx_job_dependencies_depends_on").on(table.dependsOn),
    check("ck_job_dependencies_self", sql`${table.jobId} <> ${table.dependsOn}`),
  ],
);

/** Settings of a job type that operators change; a type without a row has none. */
export const jobTypes = pgTable("job_types", {
  name: text().primaryKey(),
  paused: boolean().notNull().default(false),
});

/** The rate account of one limited key; a row lives while the key is in use. */
export const limitKeys = pgTable(
  "limit_keys",
  {
    queue: text().notNull(),
    key: text().notNull(),
    /** The theoretical arrival time of the generic cell rate algorithm. */
    arrivalAt: at("arrival_at").notNull().defaultNow(),
    /** When the next of the line may be let in; null when none waits for time to pass. */
    admitAt: at("admit_at"),
  },
  (table) => [
    primaryKey({ columns: [table.queue, table.key] }),
    index("idx_limit_keys_admit")
      .on(table.admitAt)
      .where(sql`${table.admitAt} is not null`),
  ],
);

export const workers = pgTable(
  "workers",
  {
    id: text().primaryKey(),
    host: text().notNull(),
    pid: integer().notNull(),
    version: text().notNull(),
    concurrency: integer().notNull(),
    running: integer().notNull().default(0),
    state: text().notNull().default("active"),
    startedAt: at("started_at").notNull().defaultNow(),
    heartbeatAt: at("heartbeat_at").notNull().defaultNow(),
  },
  (table) => [
    check("ck_workers_state", sql`${table.state} in ('active', 'draining', 'stopped')`),
    check("ck_workers_running", sql`${table.running} >= 0 and ${table.concurrency} >= 1`),
  ],
);

export const queues = pgTable("queues", {
  name: text().primaryKey(),
  paused: boolean().notNull().default(false),
  limits: jsonb().notNull().default({}),
  createdAt: createdAt(),
});

export const schedules = pgTable(
  "schedules",
  {
    id: uuid().primaryKey(),
    ownerId: text("owner_id").notNull(),
    name: text().notNull(),
    cron: text().notNull(),
    timeZone: text("time_zone").notNull().default("UTC"),
    jobType: text("job_type").notNull(),
    queue: text().notNull().default("default"),
    payload: jsonb().notNull(),
    priority: integer().notNull().default(0),
    missedRuns: text("missed_runs").notNull().default("skip"),
    paused: boolean().notNull().default(false),
    nextRunAt: at("next_run_at"),
    lastRunAt: at("last_run_at"),
    createdAt: createdAt(),
  },
  (table) => [
    uniqueIndex("uq_schedules_owner_name").on(table.ownerId, table.name),
    index("idx_schedules_next_run")
      .on(table.nextRunAt)
      .where(sql`not ${table.paused}`),
    check("ck_schedules_missed_runs", sql`${table.missedRuns} in ('skip', 'run_once')`),
  ],
);
