import type { JobStatusView } from "#shared/contracts";
import { isTerminal } from "#shared/job-states";
import type { JobFeeds } from "./job-feeds.ts";
import type { JobReads } from "./job-reads.ts";

/** How often it looks by itself: a notice can be lost. */
const LOOK_EVERY_MS = 500;
const LONGEST_WAIT_MS = 300_000;

export interface WaitOptions {
  reads: JobReads;
  feeds: JobFeeds;
  ownerId: string;
  jobId: string;
  /** Ends the wait when the caller has gone or the server closes; the job goes on. */
  signal: AbortSignal;
}

/** Waits until a job has ended or waits for a person, five minutes at the most; returns where it then stands. */
export async function waitForEnd({ reads, feeds, ownerId, jobId, signal }: WaitOptions): Promise<JobStatusView> {
  const lastLook = performance.now() + LONGEST_WAIT_MS;
  const { watch, leave } = feeds.watch(jobId);
  try {
    for (;;) {
      const status = await reads.status({ ownerId, jobId });
      const isSettled = isTerminal(status.status) || status.status === "waiting";
      if (isSettled || performance.now() > lastLook) return status;
      await watch.next(LOOK_EVERY_MS, signal);
      if (signal.aborted) return status;
    }
  } finally {
    leave();
  }
}
