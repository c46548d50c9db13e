import { groupBy } from "./group-by.ts";
import type { Evidence } from "./check-history.ts";
import { isCrashNear } from "../history.ts";
import type { HandlerRun } from "../history.ts";

/** The ends of an attempt that only its handler can bring about. */
const NEEDS_HANDLER = new Set(["completed", "failed", "waiting"]);

/** Judges how often handlers ran. A database that crashed may have forgotten a claim, and give its number away again. */
export function checkRuns({ jobs, runs, crashes }: Evidence): Record<string, string[]> {
  const byAttempt = groupBy(runs, ({ jobId, attempt }) => `${jobId} ${attempt}`);
  const twice = [...byAttempt.values()].flatMap((found) =>
    found.length > 1 && !isForgotten(found, crashes)
      ? [`attempt ${found[0]?.attempt} of job ${found[0]?.jobId} began ${found.length} times`]
      : [],
  );
  const unknown = runs
    .filter((run) => run.attempt > (jobs.get(run.jobId)?.attempt ?? 0) && !isCrashNear(crashes, run.beginMs, Infinity))
    .map((run) => `attempt ${run.attempt} of job ${run.jobId}`);
  const never = [...jobs.values()].flatMap((job) => {
    const last: Record<string, string> = job.status === "completed" ? { [job.attempt]: "completed" } : {};
    const ends = Object.entries({ ...job.outcomes, ...last });
    return ends
      .filter(([attempt, outcome]) => NEEDS_HANDLER.has(outcome) && !byAttempt.has(`${job.id} ${attempt}`))
      .map(([attempt, outcome]) => `attempt ${attempt} of job ${job.id}, which is ${outcome}`);
  });
  return {
    "a handler begins at most once for each attempt": twice,
    "no handler runs for an attempt that there never was": unknown,
    "an attempt that ended by itself has run its handler": never,
  };
}

/** Whether the database crashed between each run of an attempt and the next. */
function isForgotten(runs: readonly HandlerRun[], crashes: readonly number[]): boolean {
  const inOrder = runs.toSorted((one, other) => one.beginMs - other.beginMs);
  return inOrder.every((run, index) => {
    const before = inOrder[index - 1];
    return before === undefined || isCrashNear(crashes, before.beginMs, run.beginMs);
  });
}
