/** Concurrency limits: jobs of one limit key, and jobs of the narrow queue. The load sets them, the checker verifies them. */
export const KEY_LIMIT = 3;
export const NARROW_LIMIT = 2;
export const NARROW_QUEUE = "narrow";
/** The message of a turn that its client cancels soon after. The thread has no other turn. */
export const CANCELLED_PROMPT = "Cancel this";
/** From this number of crashes on, a chaos worker runs a job in quarantine. A `quarantined` job starts with it. */
export const QUARANTINE_CRASHES = 4;
