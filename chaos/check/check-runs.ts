import { groupBy } from "./group-by.ts";
import type { Evidence } from "./check-history.ts";
import { mayHaveLostClaim } from "../history.ts";
import type { HandlerRun } from "../history.ts";

/** The outcomes that require a run of the handler. */
const NEEDS_HANDLER = new Set(["completed", "failed", "waiting"]);

/** Checks the number of runs per attempt. After a database crash an undone claim may reuse its attempt number. */
export function checkRuns({ jobs, runs, crashesMs }: Evidence): Record<string, string[]> {
  const byAttempt = groupBy(runs, ({ jobId, attempt }) => `${jobId} ${attempt}`);
  const twice = [...byAttempt.values()].flatMap((found) =>
    found.length > 1 && !isExplained(found, crashesMs)
      ? [`attempt ${found[0]?.attempt} of job ${found[0]?.jobId} started ${found.length} times`]
      : [],
  );
  const unknown = runs
    .filter(
      (run) => run.attempt > (jobs.get(run.jobId)?.attempt ?? 0) && !mayHaveLostClaim(crashesMs, run.startMs, Infinity),
    )
    .map((run) => `attempt ${run.attempt} of job ${run.jobId}`);
  const never = [...jobs.values()].flatMap((job) => {
    const last: Record<string, string> = job.status === "completed" ? { [job.attempt]: "completed" } : {};
    const ends = Object.entries({ ...job.outcomes, ...last });
    return ends
      .filter(([attempt, outcome]) => NEEDS_HANDLER.has(outcome) && !byAttempt.has(`${job.id} ${attempt}`))
      .map(([attempt, outcome]) => `attempt ${attempt} of job ${job.id}, which is ${outcome}`);
  });
  return {
    "a handler starts at most once per attempt": twice,
    "no handler runs for an unknown attempt": unknown,
    "every attempt with a handler's outcome has run its handler": never,
  };
}

/** True when a database crash may explain every repeated run of an attempt. */
function isExplained(runs: readonly HandlerRun[], crashesMs: readonly number[]): boolean {
  const inOrder = runs.toSorted((one, other) => one.startMs - other.startMs);
  return inOrder.every((run, index) => {
    const before = inOrder[index - 1];
    return before === undefined || mayHaveLostClaim(crashesMs, before.startMs, run.startMs);
  });
}
