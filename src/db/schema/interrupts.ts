/** What waiting jobs ask people, and what these answered. */
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
    /** The graph's own id of the interrupt: an answer is the answer to this one only. */
    interruptId: text("interrupt_id").notNull(),
    kind: text().notNull(),
    value: jsonb().notNull(),
    /** A JSON Schema that an answer must fit; null takes any JSON value. */
    schema: jsonb(),
    /** Until when a person may answer; null for ever. */
    deadlineAt: at("deadline_at"),
    /** What happens then: the default is the answer, or the job fails. */
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
