import { groupBy } from "./group-by.ts";
import type { Evidence } from "./check-history.ts";
import type { Entry } from "../history.ts";
import { isCrashNear } from "../history.ts";

/**
 * Judges acknowledged cancels. A job that was queued or waiting has ended when its cancel is acknowledged: it stays so,
 * and no handler of it begins. A running one is asked to stop: its attempt may still complete, but it neither fails nor
 * runs again. Both hold until somebody queues the job again.
 */
export function checkCancels(evidence: Evidence) {
  const { entries, jobs } = evidence;
  const retries = groupBy(
    entries.filter(({ verb, outcome }) => verb === "retry" && outcome !== "refused"),
    ({ jobIds }) => jobIds[0],
  );
  const counts = { cancels_judged: 0, cancels_of_running: 0 };
  const faults: Record<string, string[]> = { [ENDS]: [], [BEGINS]: [] };
  for (const cancel of entries) {
    const job = jobs.get(cancel.jobIds[0] ?? "");
    if (cancel.verb !== "cancel" || cancel.outcome !== "answered" || !job) continue;
    if (retries.get(job.id)?.some((retry) => mayFollow(retry, cancel))) continue;
    counts.cancels_judged += 1;
    const wasRunning = cancel.status === "running";
    if (wasRunning) counts.cancels_of_running += 1;
    const ends = wasRunning ? ["cancelled", "completed"] : ["cancelled"];
    if (!ends.includes(job.status))
      faults[ENDS]?.push(`job ${job.id}, ${cancel.status} when its cancel was acknowledged, is ${job.status}`);
    faults[BEGINS]?.push(...findBegun(evidence, cancel));
  }
  return { faults, counts };
}

const ENDS = "a job whose cancel was acknowledged ends as cancelled";
const BEGINS = "no handler begins once a cancel was acknowledged";

/** Whether a retry may have been carried out after a cancel; a lost one at any time after it was sent. */
function mayFollow(retry: Entry, cancel: Entry): boolean {
  return retry.outcome === "lost" || retry.endedMs > cancel.sentMs;
}

function findBegun({ runs, jobs, crashes }: Evidence, cancel: Entry): string[] {
  const job = jobs.get(cancel.jobIds[0] ?? "");
  if (!job) return [];
  return runs
    .filter((run) => {
      if (run.jobId !== job.id || run.beginMs <= cancel.endedMs) return false;
      // The attempt that was running may not have come to its handler yet.
      if (cancel.status === "running" && run.attempt === job.attempt) return false;
      // A worker that has lost its lease may not know it yet, nor one whose claim the database has forgotten.
      return job.outcomes[run.attempt] !== "lease_expired" && !isCrashNear(crashes, run.beginMs, run.beginMs);
    })
    .map((run) => {
      const lateMs = Math.round(run.beginMs - cancel.endedMs);
      return `attempt ${run.attempt} of job ${job.id} began ${lateMs} ms after its cancel`;
    });
}
