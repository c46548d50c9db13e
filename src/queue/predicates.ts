/*
 * Conditions on a row of `jobs` that several statements share, as SQL text. Each matches the predicate of a partial
 * index word for word: PostgreSQL would not use the index otherwise.
 */

/** A worker may claim the job. */
export const READY = "status = 'queued' and hold is null";
/** The job has not ended. Begins with its only column, so that `alias.` may stand before it. */
export const UNFINISHED = "status in ('queued', 'running', 'waiting')";
