import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { defineJob, PermanentError, snooze } from "#worker";
import type { JobHandler, RunContext, RunResult } from "#worker";

const payloadSchema = z.object({
  /** The number of failed attempts before one succeeds. */
  failures: z.number().optional(),
  /** The duration of a run. */
  workMs: z.number().optional(),
});
type Payload = z.infer<typeof payloadSchema>;

/** The job types of the load. Each except `plain` inserts one row into `chaos_effects` on completion. */
export const JOB_TYPES = ["short", "long", "failing", "doomed", "snoozing", "plain"] as const;

/** The handlers of all job types. */
export function chaosHandlers(): JobHandler[] {
  const run = async ({ job, payload, signal, progress }: RunContext<Payload>): Promise<RunResult> => {
    const { jobId, attempt } = job;
    if (job.jobType === "doomed") throw new PermanentError("doomed");
    if (job.jobType === "snoozing" && attempt === 1) snooze(50);
    progress("working");
    await wait(payload.workMs ?? 0, undefined, { signal });
    if (job.retryCount < (payload.failures ?? 0)) throw new Error(`failure ${job.retryCount + 1}`);
    if (job.jobType === "plain") return { result: { attempt } };
    const effects: NonNullable<RunResult["effects"]> = async (tx) => {
      await tx`insert into chaos_effects (job_id, attempt) values (${jobId}, ${attempt})`;
    };
    return { result: { attempt }, effects };
  };
  return JOB_TYPES.map((type) => defineJob({ type, payload: payloadSchema, run }));
}
