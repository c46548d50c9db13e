import type { PendingQuery, Row } from "postgres";
import type { Executor } from "#db";
import type { AttemptOutcome } from "#shared/job-states";

export interface AttemptError {
  name: string;
  message: string;
  stack: string | null;
}

/** How an attempt ended, for its row in the history. */
export interface AttemptHistory {
  outcome: AttemptOutcome;
  error?: Partial<AttemptError>;
}

/**
 * Inserts a row of the history for each job of `source`, a table expression with the columns `id`, `attempt`,
 * `last_worker_id`, `claimed_at` and `usage` of `jobs`.
 */
export function insertAttempts(
  sql: Executor,
  source: PendingQuery<Row[]>,
  { outcome, error = {} }: AttemptHistory,
): PendingQuery<Row[]> {
  const { name = null, message = null, stack = null } = error;
  return sql`
    insert into job_attempts (job_id, attempt, worker_id, started_at, ended_at, outcome, error_name, error_message, error_stack, usage)
    select id, attempt, last_worker_id, claimed_at, clock_timestamp(), ${outcome}::attempt_outcome,
      ${name}::text, ${message}::text, ${stack}::text, usage
    from ${source}`;
}
