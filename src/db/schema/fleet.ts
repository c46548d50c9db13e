/** Workers, queues, job types, limits and schedules. */
import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at, createdAt } from "./columns.ts";

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
    /** The job types that it runs, or tried to: a list of `{jobType, description, error}`. */
    offers: jsonb().notNull().default([]),
    startedAt: at("started_at").notNull().defaultNow(),
    heartbeatAt: at("heartbeat_at").notNull().defaultNow(),
    /** Since when its heartbeats have come without a gap; it reaps only after it has been in contact for a heartbeat. */
    contactSince: at("contact_since").notNull().defaultNow(),
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
