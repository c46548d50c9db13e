/** The subject of a thread's design, one to one with the thread. */
import { sql } from "drizzle-orm";
import { check, index, integer, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, createdAt } from "./columns.ts";

export const decisionSets = pgTable(
  "decision_sets",
  {
    id: uuid().primaryKey(),
    threadId: uuid("thread_id").notNull(),
    ownerId: text("owner_id").notNull(),
    title: text().notNull(),
    /** The registered graph of the conversation; null for the built-in one. */
    graph: text(),
    status: text().notNull().default("active"),
    currentVersion: integer("current_version").notNull().default(0),
    createdAt: createdAt(),
    /** When its old checkpoints were last deleted; null before. */
    prunedAt: at("pruned_at"),
    updatedAt: at("updated_at").notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex("uq_decision_sets_thread").on(table.threadId),
    index("idx_decision_sets_owner_updated").on(table.ownerId, table.updatedAt.desc().nullsFirst()),
    index("idx_decision_sets_idle")
      .on(table.updatedAt)
      .where(sql`${table.prunedAt} is null or ${table.prunedAt} < ${table.updatedAt}`),
    check("ck_decision_sets_version", sql`${table.currentVersion} >= 0`),
    check("ck_decision_sets_status", sql`${table.status} in ('active', 'archived')`),
  ],
);
