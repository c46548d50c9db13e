import type { Executor } from "#db";
import type { Claim } from "../claimed-job.ts";
import { insertEvent } from "../events/append-events.ts";
import { notifyReady } from "../events/notices.ts";
import { insertAttempts } from "./insert-attempts.ts";

/**
 * Gives back a worker's claims that are not in `known`: the worker lost the answer to its claim. Jobs with a cancel
 * request stay until their lease expires. Returns how many it gave back.
 */
export async function releaseOrphans(sql: Executor, workerId: string, known: readonly Claim[]): Promise<number> {
  const error = { message: "The answer to the worker's claim was lost" };
  const rows = await sql<{ queue: string }[]>`
    with orphan as (
      update jobs set status = 'queued', hold = null, worker_id = null, lease_expires_at = null, event_seq = event_seq + 1
      where status = 'running' and worker_id = ${workerId} and lease_expires_at > clock_timestamp() and cancel_requested_at is null
        and (id, attempt) not in (
          select id, attempt from unnest(${known.map((claim) => claim.jobId)}::uuid[], ${known.map((claim) => claim.attempt)}::int[]) as claim (id, attempt)
        )
      returning *
    ), recorded as (${insertAttempts(sql, sql`orphan`, { outcome: "released", error })}),
    noted as (${insertEvent(sql, sql`orphan`, { type: "released" })})
    select queue from orphan`;
  for (const queue of new Set(rows.map((row) => row.queue))) await notifyReady(sql, queue);
  return rows.length;
}
