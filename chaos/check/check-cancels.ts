import { groupBy } from "./group-by.ts";
import type { Evidence } from "./check-history.ts";
import type { Entry } from "../history.ts";
import { mayHaveLostClaim } from "../history.ts";

/**
 * Checks acknowledged cancels. A queued or waiting job has ended at the acknowledgement: it stays cancelled, and no
 * handler starts. A running job is asked to stop: its attempt may still complete, but the job neither fails nor runs
 * again. Both promises hold until a retry of the job.
 */
export function checkCancels(evidence: Evidence) {
  const { entries, jobs } = evidence;
  const retries = groupBy(
    entries.filter(({ verb, outcome }) => verb === "retry" && outcome !== "refused"),
    ({ jobIds }) => jobIds[0],
  );
  const counts = { cancels_judged: 0, cancels_of_running: 0 };
  const faults: Record<string, string[]> = { [ENDS]: [], [STARTS]: [] };
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
    faults[STARTS]?.push(...findStarts(evidence, cancel));
  }
  return { faults, counts };
}

const ENDS = "a job with an acknowledged cancel ends as cancelled";
const STARTS = "no handler starts after an acknowledged cancel";

/** True when a retry may have taken effect after the cancel. A lost retry may take effect at any time. */
function mayFollow(retry: Entry, cancel: Entry): boolean {
  return retry.outcome === "lost" || retry.endedMs > cancel.sentMs;
}

function findStarts({ runs, jobs, crashesMs }: Evidence, cancel: Entry): string[] {
  const job = jobs.get(cancel.jobIds[0] ?? "");
  if (!job) return [];
  return runs
    .filter((run) => {
      if (run.jobId !== job.id || run.startMs <= cancel.endedMs) return false;
      // The running attempt may reach its handler only now.
      if (cancel.status === "running" && run.attempt === job.attempt) return false;
      // A worker does not know at once that it lost its lease, or that a crash undid its claim.
      return job.outcomes[run.attempt] !== "lease_expired" && !mayHaveLostClaim(crashesMs, run.startMs, run.startMs);
    })
    .map((run) => {
      const lateMs = Math.round(run.startMs - cancel.endedMs);
      return `attempt ${run.attempt} of job ${job.id} started ${lateMs} ms after its cancel`;
    });
}
