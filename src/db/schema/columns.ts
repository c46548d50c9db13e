/** What the tables share: the enums and the columns of time. */
import { pgEnum, timestamp } from "drizzle-orm/pg-core";
import { MESSAGE_ROLES } from "#shared/contracts";
import { ATTEMPT_OUTCOMES, HOLDS, JOB_STATUSES } from "#shared/job-states";

export const jobStatus = pgEnum("job_status", JOB_STATUSES);
export const jobHold = pgEnum("job_hold", HOLDS);
export const attemptOutcome = pgEnum("attempt_outcome", ATTEMPT_OUTCOMES);
export const messageRole = pgEnum("message_role", MESSAGE_ROLES);

/** A moment, with its zone, as text. */
export const at = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });
/** When the row was made, by the database's clock. */
export const createdAt = () => at("created_at").notNull().defaultNow();
