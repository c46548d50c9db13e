import { setTimeout as wait } from "node:timers/promises";
import type { JobStatusView } from "#shared/contracts";
import { isTerminal } from "#shared/job-states";
import type { JobReads } from "./job-reads.ts";

const FIRST_LOOK_MS = 20;
const SLOWEST_LOOK_MS = 500;
const LONGEST_WAIT_MS = 300_000;

export interface WaitOptions {
  reads: JobReads;
  ownerId: string;
  jobId: string;
  /** Ends the wait when the caller has gone or the server closes; the job goes on. */
  signal: AbortSignal;
}

/** Waits until a job has ended or waits for a person, five minutes at the most; returns where it then stands. */
export async function waitForEnd({ reads, ownerId, jobId, signal }: WaitOptions): Promise<JobStatusView> {
  const lastLook = performance.now() + LONGEST_WAIT_MS;
  for (let delayMs = FIRST_LOOK_MS; ; delayMs = Math.min(delayMs * 1.5, SLOWEST_LOOK_MS)) {
    const status = await reads.status({ ownerId, jobId });
    if (isTerminal(status.status) || status.status === "waiting" || performance.now() > lastLook) return status;
    await wait(delayMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return status;
  }
}
