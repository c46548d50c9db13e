import type { JobStatusView } from "#shared/contracts";
import { isTerminal } from "#shared/job-states";
import type { JobFeeds } from "./job-feeds.ts";
import type { JobReads } from "./job-reads.ts";

/** It also polls, because a notice can be lost. */
const POLL_MS = 500;
const MAX_WAIT_MS = 300_000;

export interface WaitOptions {
  reads: JobReads;
  feeds: JobFeeds;
  ownerId: string;
  jobId: string;
  /** Aborts when the caller disconnects or the server closes. The job itself runs on. */
  signal: AbortSignal;
}

/** Waits for at most 5 minutes until a job has ended or waits for a person, then returns its state. */
export async function waitForEnd({ reads, feeds, ownerId, jobId, signal }: WaitOptions): Promise<JobStatusView> {
  const deadlineMs = performance.now() + MAX_WAIT_MS;
  const { watch, leave } = feeds.watch(jobId);
  try {
    for (;;) {
      const status = await reads.status({ ownerId, jobId });
      const isSettled = isTerminal(status.status) || status.status === "waiting";
      if (isSettled || performance.now() > deadlineMs) return status;
      await watch.next(POLL_MS, signal);
      if (signal.aborted) return status;
    }
  } finally {
    leave();
  }
}
