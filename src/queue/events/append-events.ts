import type { Executor } from "#db";
import type { Claim } from "../claimed-job.ts";
import { LeaseLostError } from "../errors.ts";
import { holdsLease } from "../fence.ts";
import { notifyEvents } from "./notices.ts";
import type { PendingQuery, Row } from "postgres";
import type { Usage } from "#shared/usage";

export interface NewEvent {
  /** Such as `token` or `step`; not one of the closing types. */
  type: string;
  /** Any JSON value. */
  data: unknown;
}

export interface Append {
  events: readonly NewEvent[];
  /** The number of the log's last event as the writer knows it: the claim's `eventSeq` plus its own appends. */
  after: number;
  /** The job's new progress; unchanged when absent. */
  progress?: { step: string; detail?: string } | undefined;
  /** The attempt's use of models so far; unchanged when absent. */
  usage?: Usage | undefined;
}

/**
 * Appends events to a running job's log, numbered from `after + 1`, and returns the last number. Safe to send again: a
 * batch whose answer was lost is not appended twice.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function appendEvents(sql: Executor, claim: Claim, append: Append): Promise<number> {
  const last = append.after + append.events.length;
  const rows = await sql`with ${appendParts(sql, claim, append)} select 1 from owner`;
  if (rows.length === 0) {
    // If an earlier call has appended this batch, the log already ends at `last`.
    const added = await sql`select 1 from jobs where ${holdsLease(sql, claim)} and event_seq = ${last}`;
    if (added.length === 0) throw new LeaseLostError(claim.jobId, claim.attempt);
  }
  await notifyEvents(sql, claim.jobId);
  return last;
}

/**
 * The CTEs that append events to a running job's log, for a statement that writes more. The CTE `owner` has a row if they
 * were appended; call `notifyEvents` then.
 */
export function appendParts(sql: Executor, claim: Claim, append: Append): PendingQuery<Row[]> {
  return sql`
    owner as (
      update jobs set ${appendAssignments(sql, append)} where ${holdsLease(sql, claim)} and event_seq = ${append.after}
      returning id, attempt
    ), noted as (${insertEvents(sql, append)})`;
}

/** The assignments of the update that appends events to a job's log. Its condition must be `event_seq = after`. */
export function appendAssignments(sql: Executor, { events, after, progress, usage }: Append): PendingQuery<Row[]> {
  const progressJson = progress === undefined ? null : JSON.stringify(progress);
  const usageJson = usage === undefined ? null : JSON.stringify(usage);
  return sql`event_seq = ${after + events.length}, progress = coalesce(${progressJson}::text::jsonb, progress),
    usage = coalesce(${usageJson}::text::jsonb, usage)`;
}

/** Inserts the events for the job in the CTE `owner`. */
export function insertEvents(sql: Executor, { events, after }: Append): PendingQuery<Row[]> {
  return sql`
    insert into job_events (job_id, seq, attempt, type, data)
    select id, ${after}::int + event.ord::int, attempt, event.value ->> 'type', coalesce(event.value -> 'data', 'null'::jsonb)
    from owner cross join jsonb_array_elements(${JSON.stringify(events)}::text::jsonb) with ordinality as event (value, ord)`;
}

/**
 * Inserts one event for each job of `source`, a table expression with the columns `id`, `event_seq` and `attempt`. Its
 * number is `event_seq`: raise it in the same statement.
 */
export function insertEvent(
  sql: Executor,
  source: PendingQuery<Row[]>,
  { type, data }: { type: string; data?: PendingQuery<Row[]> },
): PendingQuery<Row[]> {
  return sql`
    insert into job_events (job_id, seq, attempt, type, data)
    select id, event_seq, attempt, ${type}::text, ${data ?? sql`'{}'::jsonb`} from ${source}`;
}
