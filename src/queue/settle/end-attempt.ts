import type { PendingQuery, Row } from "postgres";
import { mayNotifyWithin, together } from "#db";
import type { Tx } from "#db";
import type { JobStatus } from "#shared/job-states";
import type { Claim } from "../claimed-job.ts";
import { LeaseLostError } from "../errors.ts";
import { appendAssignments, insertEvent, insertEvents } from "../events/append-events.ts";
import type { Append, NewEvent } from "../events/append-events.ts";
import { changedNotice, EVENTS_CHANNEL, notifyChanged } from "../events/notices.ts";
import { holdsLease } from "../fence.ts";
import { lockLimit, lockThread } from "../locks.ts";
import { admit } from "../ready/admit.ts";
import { settleDependents } from "../ready/dependencies.ts";
import { dispatch, nextHold, readyNext } from "../ready/ready.ts";
import type { Readied } from "../ready/ready.ts";
import { insertAttempts } from "./insert-attempts.ts";
import type { AttemptHistory } from "./insert-attempts.ts";

/** The status that the job takes when its attempt ends. */
export type NextState =
  | { status: "completed"; result: string }
  | { status: "failed" | "cancelled"; error?: string }
  | { status: "waiting" }
  | QueuedAgain;

export interface QueuedAgain {
  status: "queued";
  /**
   * How long from now the job may run at the earliest, in milliseconds. Null makes the job ready at once and leaves it its
   * slot under a limit.
   */
  delayMs: number | null;
  /** The counter that this end raises; absent when it uses neither a retry nor a crash. */
  raises?: "retry_count" | "crash_count";
  error?: string;
}

export interface AttemptEnd {
  next: NextState;
  /** The attempt's row in the history. A completion has none: the job's own row implies it. */
  history?: AttemptHistory;
  /** The event that records the end; absent when the job's status implies it. */
  event?: NewEvent;
  /** The attempt's last events, stored with its end. */
  last?: Append | undefined;
}

/** The counters of an attempt that may end: its row is locked, and its guard held. */
export interface LockedAttempt {
  retryCount: number;
  maxRetries: number;
  crashCount: number;
  maxCrashes: number;
  isCancelRequested: boolean;
}

/** The fields of a claim that an end needs. */
export type AttemptKey = Pick<Claim, "jobId" | "attempt" | "threadId" | "queue" | "limitKey">;

/** Locks an attempt's thread, limited key and row, in this order. Undefined when the guard does not hold. */
export async function lockAttempt(
  tx: Tx,
  attempt: AttemptKey,
  guard: PendingQuery<Row[]>,
): Promise<LockedAttempt | undefined> {
  const [, , [row]] = await together([
    lockThread(tx, attempt.threadId),
    lockLimit(tx, attempt),
    tx<LockedAttempt[]>`
      select retry_count as "retryCount", max_retries as "maxRetries", crash_count as "crashCount",
        max_crashes as "maxCrashes", cancel_requested_at is not null as "isCancelRequested"
      from jobs where ${guard} for update`.execute(),
  ]);
  return row;
}

/**
 * Ends an attempt. One statement writes the job's next status, the attempt's row in the history, its event and the
 * thread's next head. Then the job frees its slot and, if it has ended, settles its dependents. Returns false when the
 * guard does not hold; nothing is changed then.
 */
export async function endAttempt(
  tx: Tx,
  attempt: AttemptKey,
  { guard, ...end }: AttemptEnd & { guard: PendingQuery<Row[]> },
): Promise<boolean> {
  const { next, history, event, last } = end;
  const isOver = next.status !== "queued" && next.status !== "waiting";
  const successor = isOver ? attempt.threadId : null;
  const isNotified = attempt.threadId !== null && mayNotifyWithin(tx);
  // Sent together, in this order: the statement waits in the server for the locks. The thread's next job becomes its head
  // only after this job has ended: a unique index refuses two heads of a thread.
  const [, , [ended]] = await together([
    lockThread(tx, attempt.threadId),
    lockLimit(tx, attempt),
    tx<EndedRow[]>`
    with owner as (
      update jobs set ${assignments(tx, next)}, worker_id = null, lease_expires_at = null
        ${last ? tx`, ${appendAssignments(tx, last)}` : tx``} ${event ? tx`, event_seq = event_seq + 1` : tx``}
      where ${guard} ${last ? tx`and event_seq = ${last.after}` : tx``}
      returning id, attempt, has_dependents, event_seq, last_worker_id, claimed_at, usage, run_at, hold
    )
    ${last ? tx`, noted as (${insertEvents(tx, last)})` : tx``}
    ${event ? tx`, closed as (${insertEvent(tx, tx`owner`, { type: event.type, data: eventData(tx, end) })})` : tx``}
    ${history ? tx`, recorded as (${insertAttempts(tx, tx`owner`, history)})` : tx``}
    ${successor === null ? tx`` : tx`, next as (${readyNext(tx, successor)} and (select true from owner) returning queue, limit_key, hold)`}
    select owner.has_dependents, owner.event_seq, owner.hold as own_hold
      ${successor === null ? tx`` : tx`, next.queue, next.limit_key, next.hold`}
      ${isNotified ? tx`, pg_notify(${EVENTS_CHANNEL}, ${changedNotice(attempt.jobId)})` : tx``}
    from owner ${successor === null ? tx`` : tx`left join next on true`}`.execute(),
  ]);
  if (!ended) return false;
  if (!isNotified) await notifyChanged(tx, { ...attempt, eventSeq: ended.event_seq });
  if (isReadied(ended)) await dispatch(tx, [ended]);
  if (next.status === "queued") {
    await dispatch(tx, [{ queue: attempt.queue, limit_key: attempt.limitKey, hold: ended.own_hold }]);
    if (next.delayMs === null) return true;
  }
  // A waiting job stays its thread's head, but frees its slot.
  await admit(tx, attempt);
  if (isOver && ended.has_dependents) await settleDependents(tx, attempt.jobId, next.status);
  return true;
}

/** The event's data; for a job that is queued again, with its earliest start. */
function eventData(tx: Tx, { next, event }: AttemptEnd): PendingQuery<Row[]> {
  const data = tx`${JSON.stringify(event?.data ?? {})}::text::jsonb`;
  return next.status === "queued" ? tx`${data} || jsonb_build_object('runAt', run_at)` : data;
}

/** The assignments of the update that gives the job its next status. */
function assignments(tx: Tx, next: NextState): PendingQuery<Row[]> {
  switch (next.status) {
    case "completed":
      return tx`status = 'completed', result = ${next.result}::text::jsonb, error_message = null,
        completed_at = clock_timestamp()`;
    case "failed":
    case "cancelled":
      return tx`status = ${next.status}::job_status, error_message = coalesce(${next.error ?? null}, error_message),
        progress = null, completed_at = clock_timestamp()`;
    case "waiting":
      return tx`status = 'waiting', progress = null`;
    case "queued": {
      const { delayMs, raises, error = null } = next;
      const runAt = tx`clock_timestamp() + make_interval(secs => ${delayMs}::float8 / 1000)`;
      return tx`status = 'queued', error_message = coalesce(${error}, error_message), progress = null
        ${delayMs === null ? tx`` : tx`, run_at = ${runAt}, hold = ${nextHold(tx, { runAt })}`}
        ${raises === undefined ? tx`` : tx`, ${tx(raises)} = ${tx(raises)} + 1`}`;
    }
    default:
      return next satisfies never;
  }
}

/** The job whose attempt ended, with its thread's next head if there is one. */
interface EndedRow extends Partial<Record<keyof Readied, string | null>> {
  has_dependents: boolean;
  event_seq: number;
  own_hold: string | null;
}

function isReadied(row: EndedRow): row is EndedRow & Readied {
  return (row.queue ?? null) !== null;
}

/**
 * The status that an earlier call for this attempt has given the job. A worker that lost the answer to its last write
 * sends it again, and that must not look like a lost lease.
 * @throws LeaseLostError when the attempt ended otherwise, or another attempt owns the job.
 */
export async function readEarlierEnd<Status extends JobStatus>(
  tx: Tx,
  claim: Claim,
  statuses: readonly Status[],
): Promise<Status> {
  const [row] = await tx<{ status: Status }[]>`
    select status from jobs where id = ${claim.jobId} and attempt = ${claim.attempt}
      and last_worker_id = ${claim.workerId} and status::text = any(${[...statuses]}) and not exists (
        select 1 from job_attempts where job_id = ${claim.jobId} and attempt = ${claim.attempt} and outcome = 'lease_expired'
      )`;
  if (!row) throw new LeaseLostError(claim.jobId, claim.attempt);
  return row.status;
}

/**
 * Ends an attempt that did not complete: as `end` says, or as cancelled when that was requested. `earlierStatuses` are
 * the statuses that an earlier call for this attempt may have given the job.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function endUnlessCancelled<Status extends JobStatus>(
  tx: Tx,
  claim: Claim,
  { earlierStatuses, ...end }: AttemptEnd & { earlierStatuses: readonly Status[] },
): Promise<Status | "cancelled"> {
  const guard = holdsLease(tx, claim);
  const locked = await lockAttempt(tx, claim, guard);
  if (!locked) return readEarlierEnd(tx, claim, [...earlierStatuses, "cancelled"]);
  const actual = locked.isCancelRequested ? CANCELLED : end;
  if (!(await endAttempt(tx, claim, { ...actual, guard }))) throw new LeaseLostError(claim.jobId, claim.attempt);
  return actual.next.status as Status | "cancelled";
}

/** An attempt that ends because its job was cancelled. */
export const CANCELLED: AttemptEnd = { next: { status: "cancelled" }, history: { outcome: "cancelled" } };
