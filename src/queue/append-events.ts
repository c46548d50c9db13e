import type { Executor } from "#db";
import type { Usage } from "#shared/usage";
import type { Claim } from "./claim.ts";
import { LeaseLostError } from "./errors.ts";
import { holdsLease } from "./fence.ts";
import { notifyEvents } from "./wake.ts";

export interface NewEvent {
  /** What happened, such as `token` or `step`; not one of the closing types. */
  type: string;
  /** Any JSON value. */
  data: unknown;
}

export interface Append {
  events: readonly NewEvent[];
  /** The number of the log's last event as the writer knows it: the claim's, raised by what was appended since. */
  after: number;
  /** Shown on the job from now on; left as it is when absent. */
  progress?: { step: string; detail?: string } | undefined;
  /** What the attempt has used of models so far; left as it is when absent. */
  usage?: Usage | undefined;
}

/**
 * Adds events to a running job's log, numbered on from `after`; returns the last one's number. Safe to send again: a
 * batch whose answer was lost is not added twice.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function appendEvents(sql: Executor, claim: Claim, append: Append): Promise<number> {
  const { events, after, progress, usage } = append;
  const last = after + events.length;
  const progressJson = progress === undefined ? null : JSON.stringify(progress);
  const usageJson = usage === undefined ? null : JSON.stringify(usage);
  const rows = await sql`
    with owner as (
      update jobs set event_seq = ${last}, progress = coalesce(${progressJson}::text::jsonb, progress),
        usage = coalesce(${usageJson}::text::jsonb, usage)
      where ${holdsLease(sql, claim)} and event_seq = ${after}
      returning id, attempt
    ), noted as (
      insert into job_events (job_id, seq, attempt, type, data)
      select id, ${after}::int + event.ord::int, attempt, event.value ->> 'type', coalesce(event.value -> 'data', 'null'::jsonb)
      from owner cross join jsonb_array_elements(${JSON.stringify(events)}::text::jsonb) with ordinality as event (value, ord)
    )
    select 1 from owner`;
  if (rows.length === 0) {
    // Its own batch, sent before: then the log stands where this one would have brought it.
    const added = await sql`select 1 from jobs where ${holdsLease(sql, claim)} and event_seq = ${last}`;
    if (added.length === 0) throw new LeaseLostError(claim.jobId, claim.attempt);
  }
  await notifyEvents(sql, claim.jobId);
  return last;
}
