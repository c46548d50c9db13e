import type { Database } from "#queue";
import { z } from "zod";
import { defineJob } from "../src/worker/define-job.ts";
import type { JobHandler } from "../src/worker/define-job.ts";

const payloadSchema = z.object({
  does: z.enum(["say where it runs", "exit", "kill itself", "wait", "wait deaf", "stop when drained"]),
});

/** Job handlers that record their process in `suspect_runs`, then act as the payload says. */
export function suspectHandlers(db: Database): JobHandler[] {
  return [
    defineJob({
      type: "suspect",
      payload: payloadSchema,
      async run({ job: { jobId, attempt }, payload: { does }, signal, drain }) {
        await db.sql`insert into suspect_runs (job_id, attempt, pid) values (${jobId}, ${attempt}, ${process.pid})`;
        if (does === "exit") process.exit(7);
        if (does === "kill itself") process.kill(process.pid, "SIGKILL");
        // Blocks the event loop.
        if (does === "wait deaf") for (;;);
        if (does === "wait") await aborted(signal);
        if (does === "stop when drained") await aborted(drain).catch(() => undefined);
        return { result: { pid: process.pid } };
      },
    }),
  ];
}

async function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = () => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail);
  });
}
