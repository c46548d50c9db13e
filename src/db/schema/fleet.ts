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
    /** A list of `{jobType, description, error}`: the job types that the worker runs or failed to load. */
    offers: jsonb().notNull().default([]),
    startedAt: at("started_at").notNull().defaultNow(),
    heartbeatAt: at("heartbeat_at").notNull().defaultNow(),
    /** The start of the present heartbeats without a gap. A worker reaps only after one whole interval of contact. */
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

/** Operators' settings of a job type; a type without a row has the defaults. */
export const jobTypes = pgTable("job_types", {
  name: text().primaryKey(),
  paused: boolean().notNull().default(false),
});

/** The rate limiter of one limited key; the row exists while the key is in use. */
export const limitKeys = pgTable(
  "limit_keys",
  {
    queue: text().notNull(),
    key: text().notNull(),
    /** The theoretical arrival time of the generic cell rate algorithm (GCRA). */
    arrivalAt: at("arrival_at").notNull().defaultNow(),
    /** When the next waiting job may be admitted; null when none waits for the rate. */
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
