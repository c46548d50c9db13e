import type { JobHandler } from "#worker";
import { HistoryWriter, nowMs } from "../history.ts";

let runs = 0;

/** Handlers that write down, outside the database, when they begin and end. */
export function noteRuns(handlers: readonly JobHandler[], folder: string): JobHandler[] {
  const history = new HistoryWriter(folder);
  return handlers.map((handler) => ({
    ...handler,
    run: async (context) => {
      const { jobId, attempt, queue, limitKey } = context.job;
      runs += 1;
      const of = { pid: process.pid, run: runs, jobId, attempt, queue, limitKey };
      history.addRun({ what: "begin", atMs: nowMs(), ...of });
      try {
        return await handler.run(context);
      } finally {
        history.addRun({ what: "end", atMs: nowMs(), ...of });
      }
    },
  }));
}
