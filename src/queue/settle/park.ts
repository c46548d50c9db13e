import type { Tx } from "#db";
import type { Claim } from "../claimed-job.ts";
import { notifyChanged } from "../events/wake.ts";
import { holdsLease, settledBefore } from "../fence.ts";
import { lockLimit, lockThread } from "../locks.ts";
import { passOn } from "../ready/ready.ts";
import { readyAnswered } from "../ready/resume.ts";
import { settleIfAsked } from "./cancel.ts";

/** A question that a run puts to a person. */
export interface NewInterrupt {
  /** The graph's own id of it: two questions of one run never share one. */
  id: string;
  /** What sort of question it is, such as `approval`. */
  kind: string;
  /** What the graph asks, any JSON value. */
  value: unknown;
  /** A JSON Schema for the answer; null takes any JSON value. */
  schema: unknown;
  /** How long from now a person may answer, in milliseconds; null for ever. */
  deadlineMs: number | null;
  /** What counts as the answer once the deadline has passed; without it the job fails then. */
  default?: unknown;
}

/**
 * Parks a job until a person has answered: it holds no worker and no lease, and keeps its thread's head. A question
 * that was answered while the run was under way lets it go on at once. Uses no retry. One that somebody has asked to
 * cancel meanwhile ends so instead.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function park(
  tx: Tx,
  claim: Claim,
  interrupts: readonly NewInterrupt[],
): Promise<"waiting" | "queued" | "cancelled"> {
  await lockThread(tx, claim.threadId);
  await lockLimit(tx, claim);
  const asked = interrupts.map(({ id, kind }) => ({ id, kind }));
  const [parked] = await tx<{ status: "waiting" | "queued" }[]>`
    with owner as (
      update jobs set status = 'waiting', worker_id = null, lease_expires_at = null, progress = null, event_seq = event_seq + 1
      where ${holdsLease(tx, claim)} and cancel_requested_at is null
      returning *
    ), recorded as (
      insert into job_attempts (job_id, attempt, worker_id, started_at, ended_at, outcome, usage)
      select id, attempt, last_worker_id, claimed_at, clock_timestamp(), 'waiting', usage from owner
    ), noted as (
      insert into job_events (job_id, seq, attempt, type, data)
      select id, event_seq, attempt, 'waiting', jsonb_build_object('interrupts', ${JSON.stringify(asked)}::text::jsonb) from owner
    )
    select status from owner`;
  if (!parked) {
    for (const status of ["waiting", "queued"] as const) if (await settledBefore(tx, claim, status)) return status;
    await settleIfAsked(tx, claim);
    return "cancelled";
  }
  await recordInterrupts(tx, claim.jobId, interrupts);
  await notifyChanged(tx, { ...claim, eventSeq: 1 });
  const [answered] = await tx`
    select 1 from job_interrupts where job_id = ${claim.jobId} and answered_at is not null
      and interrupt_id = any(${interrupts.map((one) => one.id)}::text[])`;
  if (answered) await readyAnswered(tx, claim.jobId);
  // It keeps its thread's head while it waits, but not its place under a limit.
  await passOn(tx, { ...claim, threadId: null });
  return answered ? "queued" : "waiting";
}

async function recordInterrupts(tx: Tx, jobId: string, interrupts: readonly NewInterrupt[]): Promise<void> {
  const rows = interrupts.map((one) => ({
    id: one.id,
    kind: one.kind,
    value: one.value,
    schema: one.schema,
    deadline_ms: one.deadlineMs,
    on_deadline: one.default === undefined ? "fail" : "default",
    // Kept in a list, so that null can be an answer.
    default_answer: one.default === undefined ? null : [one.default],
  }));
  await tx`
    insert into job_interrupts (job_id, interrupt_id, kind, value, schema, deadline_at, on_deadline, default_answer)
    select ${jobId}, id, kind, coalesce(value, 'null'::jsonb), nullif(schema, 'null'::jsonb),
      clock_timestamp() + make_interval(secs => deadline_ms / 1000), on_deadline, nullif(default_answer, 'null'::jsonb)
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as asked (id text, kind text, value jsonb, schema jsonb,
      deadline_ms float8, on_deadline text, default_answer jsonb)
    -- Asked again by a later attempt: the first deadline and an answer that is there stay.
    on conflict (job_id, interrupt_id) do update set kind = excluded.kind, value = excluded.value, schema = excluded.schema`;
}
