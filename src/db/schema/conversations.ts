/** Messages and decision versions. */
import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { messageRole, createdAt } from "./columns.ts";
import { decisionSets } from "./decision-sets.ts";
import { jobs } from "./jobs.ts";

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
    /** For a reply: the checkpoint at which its turn ended, from which a branch may start. */
    checkpointId: text("checkpoint_id"),
    role: messageRole().notNull(),
    content: text().notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    foreignKey({ columns: [table.parentId], foreignColumns: [table.id] }).onDelete("set null"),
    index("idx_messages_set_seq").on(table.decisionSetId, table.seq),
    index("idx_messages_parent").on(table.parentId),
    // A job has one user message and one reply, however often it is retried.
    uniqueIndex("uq_messages_job_role")
      .on(table.jobId, table.role)
      .where(sql`${table.jobId} is not null`),
  ],
);
