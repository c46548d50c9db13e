/** Attempts, events and dependencies of jobs. */
import { sql } from "drizzle-orm";
import { check, index, integer, jsonb, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { attemptOutcome, at, createdAt } from "./columns.ts";
import { jobs } from "./jobs.ts";

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
    /** The attempt's use of models; null when none. */
    usage: jsonb(),
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

/** A job waits until every job it depends on has ended. */
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
