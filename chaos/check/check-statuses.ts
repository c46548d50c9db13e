import { isTerminal } from "#shared/job-states";
import type { JobStatus } from "#shared/job-states";
import { groupBy } from "./group-by.ts";
import type { Evidence, FinalJob } from "./check-history.ts";
import type { Entry } from "../history.ts";

/** Checks the statuses that clients read: a later read never shows an older state than an earlier read. */
export function checkStatuses({ entries, jobs }: Evidence): Record<string, string[]> {
  const reversals: string[] = [];
  const replies: string[] = [];
  const byJob = groupBy(entries, ({ jobIds }) => jobIds[0]);
  for (const [jobId, about] of byJob) {
    const job = jobs.get(jobId ?? "");
    if (!job) continue;
    const reads = about.filter(({ verb, outcome }) => verb === "status" && outcome === "answered");
    const retries = about.filter(({ verb, outcome }) => verb === "retry" && outcome !== "refused");
    reversals.push(...findReversals(job, reads, retries));
    replies.push(
      ...reads
        .filter(({ status, reply }) => status === "completed" && (reply ?? null) !== job.reply)
        .map(({ reply }) => `job ${job.id} had ${JSON.stringify(reply)}`),
    );
  }
  return { "an ended job never leaves its end status": reversals, "a reply never changes": replies };
}

/** Finds changes of an end status without a retry. The table counts as the last read. */
function findReversals(job: FinalJob, reads: readonly Entry[], retries: readonly Entry[]): string[] {
  const last = { sentMs: Infinity, endedMs: Infinity, status: job.status };
  const inOrder = [...reads.toSorted((one, other) => one.endedMs - other.endedMs), last];
  return inOrder.flatMap((read, index) => {
    const { status } = read;
    if (status === undefined || !isTerminal(status as JobStatus)) return [];
    // The order is by answer. A later answer may belong to an earlier request, which is no proof.
    const later = inOrder.slice(index + 1).find((other) => other.sentMs > read.endedMs && other.status !== status);
    if (!later) return [];
    const isExplained = retries.some(
      (retry) => retry.sentMs < later.endedMs && (retry.outcome === "lost" || retry.endedMs > read.sentMs),
    );
    if (isExplained && status !== "completed") return [];
    return [`job ${job.id} was ${status} and then ${later.status}`];
  });
}
