/**
 * `schema/` owns the data model: tables, indexes and constraints. `npm run db:generate` writes the SQL in `drizzle/` from it.
 * It must not know verbs. Invariant: constraints refuse every row that must never exist, from any writer.
 * This file: enums and time columns that tables share.
 */
import { pgEnum, timestamp } from "drizzle-orm/pg-core";
import { MESSAGE_ROLES } from "#shared/contracts";
import { ATTEMPT_OUTCOMES, HOLDS, JOB_STATUSES } from "#shared/job-states";

export const jobStatus = pgEnum("job_status", JOB_STATUSES);
export const jobHold = pgEnum("job_hold", HOLDS);
export const attemptOutcome = pgEnum("attempt_outcome", ATTEMPT_OUTCOMES);
export const messageRole = pgEnum("message_role", MESSAGE_ROLES);

/** A timestamp with time zone, read as text. */
export const at = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });
/** Set by the database's clock. */
export const createdAt = () => at("created_at").notNull().defaultNow();
