import type { JobHandler } from "#worker";
import { HistoryWriter, nowMs } from "../history.ts";

let runCount = 0;

/** Wraps handlers so that each records its start and end in the history files. */
export function recordRuns(handlers: readonly JobHandler[], folder: string): JobHandler[] {
  const history = new HistoryWriter(folder);
  return handlers.map((handler) => ({
    ...handler,
    run: async (context) => {
      const { jobId, attempt, queue, limitKey } = context.job;
      runCount += 1;
      const run = { pid: process.pid, run: runCount, jobId, attempt, queue, limitKey };
      history.addRun({ phase: "start", atMs: nowMs(), ...run });
      try {
        return await handler.run(context);
      } finally {
        history.addRun({ phase: "end", atMs: nowMs(), ...run });
      }
    },
  }));
}
