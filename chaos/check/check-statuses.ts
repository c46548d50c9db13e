import { isTerminal } from "#shared/job-states";
import type { JobStatus } from "#shared/job-states";
import { groupBy } from "./group-by.ts";
import type { Evidence, FinalJob } from "./check-history.ts";
import type { Entry } from "../history.ts";

/** Judges what the clients saw: whoever they are, a later look shows nothing older than an earlier one. */
export function checkStatuses({ entries, jobs }: Evidence): Record<string, string[]> {
  const back: string[] = [];
  const replies: string[] = [];
  const byJob = groupBy(entries, ({ jobIds }) => jobIds[0]);
  for (const [jobId, about] of byJob) {
    const job = jobs.get(jobId ?? "");
    if (!job) continue;
    const looks = about.filter(({ verb, outcome }) => verb === "status" && outcome === "answered");
    const retries = about.filter(({ verb, outcome }) => verb === "retry" && outcome !== "refused");
    back.push(...findSteps(job, looks, retries));
    replies.push(
      ...looks
        .filter(({ status, reply }) => status === "completed" && (reply ?? null) !== job.reply)
        .map(({ reply }) => `job ${job.id} had ${JSON.stringify(reply)}`),
    );
  }
  return { "a status never goes back from an end": back, "a reply never changes": replies };
}

/** The steps back from an end that no retry explains; what the table has is the last look. */
function findSteps(job: FinalJob, looks: readonly Entry[], retries: readonly Entry[]): string[] {
  const last = { sentMs: Infinity, endedMs: Infinity, status: job.status };
  const inOrder = [...looks.toSorted((one, other) => one.endedMs - other.endedMs), last];
  return inOrder.flatMap((look, index) => {
    const { status } = look;
    if (status === undefined || !isTerminal(status as JobStatus)) return [];
    // Those after it in this order may have been sent before it was answered.
    const later = inOrder.slice(index + 1).find((other) => other.sentMs > look.endedMs && other.status !== status);
    if (!later) return [];
    const isExplained = retries.some(
      (retry) => retry.sentMs < later.endedMs && (retry.outcome === "lost" || retry.endedMs > look.sentMs),
    );
    if (isExplained && status !== "completed") return [];
    return [`job ${job.id} was ${status} and then ${later.status}`];
  });
}
