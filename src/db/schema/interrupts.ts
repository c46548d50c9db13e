/** Questions of waiting jobs to people, and the answers. */
import { sql } from "drizzle-orm";
import { check, index, jsonb, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { at, createdAt } from "./columns.ts";
import { jobs } from "./jobs.ts";

export const jobInterrupts = pgTable(
  "job_interrupts",
  {
    jobId: uuid("job_id")
      .notNull()
      .references(() => jobs.id, { onDelete: "cascade" }),
    /** The graph's id of the interrupt; an answer never answers another interrupt. */
    interruptId: text("interrupt_id").notNull(),
    kind: text().notNull(),
    value: jsonb().notNull(),
    /** The JSON Schema of an answer; null accepts any JSON value. */
    schema: jsonb(),
    /** The last moment for an answer; null without a limit. */
    deadlineAt: at("deadline_at"),
    /** At the deadline: the default answers (`default`), or the job fails (`fail`). */
    onDeadline: text("on_deadline").notNull().default("fail"),
    defaultAnswer: jsonb("default_answer"),
    answer: jsonb(),
    answeredAt: at("answered_at"),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.jobId, table.interruptId] }),
    index("idx_job_interrupts_deadline")
      .on(table.deadlineAt)
      .where(sql`${table.answeredAt} is null and ${table.deadlineAt} is not null`),
    check("ck_job_interrupts_answered", sql`(${table.answeredAt} is null) = (${table.answer} is null)`),
    check("ck_job_interrupts_on_deadline", sql`${table.onDeadline} in ('fail', 'default')`),
    check("ck_job_interrupts_default", sql`${table.onDeadline} <> 'default' or ${table.defaultAnswer} is not null`),
  ],
);
