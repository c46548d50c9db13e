import type { Tx } from "#db";
import { insertEvent } from "../events/append-events.ts";
import { notifyChanged, notifyReady } from "../events/notices.ts";
import type { LockedJob } from "../lock-job.ts";
import { admit } from "./admit.ts";
import { nextHold } from "./ready.ts";

/** Queues a waiting job whose questions were answered, and logs an `answered` event. Call it with the job locked. */
export async function resume(
  tx: Tx,
  job: LockedJob,
  answered: { interruptIds: readonly string[]; byDefault?: true },
): Promise<void> {
  const data = tx`${JSON.stringify(answered)}::text::jsonb`;
  await tx`
    with job as (update jobs set event_seq = event_seq + 1 where id = ${job.jobId} returning id, event_seq, attempt)
    ${insertEvent(tx, tx`job`, { type: "answered", data })}`;
  await readyAnswered(tx, job.jobId);
  await notifyChanged(tx, { ...job, eventSeq: job.eventSeq + 1 });
}

/** Queues a waiting job. Call it with its thread and its limited key locked. */
export async function readyAnswered(tx: Tx, jobId: string): Promise<void> {
  const [job] = await tx<{ queue: string; limit_key: string | null; hold: string | null }[]>`
    update jobs set status = 'queued', run_at = clock_timestamp(),
      hold = ${nextHold(tx, { runAt: tx`clock_timestamp()` })}
    where id = ${jobId} and status = 'waiting'
    returning queue, limit_key, hold`;
  if (!job) return;
  if (job.hold === null) await notifyReady(tx, job.queue);
  else await admit(tx, { queue: job.queue, limitKey: job.limit_key });
}
