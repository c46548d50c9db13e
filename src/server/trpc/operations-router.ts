import { cancelTurn, redriveTurn } from "#conversation";
import { InvalidJobError } from "#queue";
import { enqueue } from "#queue/enqueue";
import {
  changePriority,
  createQueue,
  discard,
  listQueues,
  pauseJobType,
  pauseQueue,
  setQueueLimits,
} from "#queue/operate";
import { getJob, listDeadLetters } from "#queue/read";
import { deleteSchedule, listSchedules, pauseSchedule, runScheduleNow, saveSchedule } from "#queue/schedules";
import type { z } from "zod";
import { jobIdInputSchema } from "#shared/contracts";
import { exportPayloadSchema, PAYLOAD_SCHEMAS, EXPORT_JOB_TYPE } from "#shared/job-types";
import {
  deadLetterFilterSchema,
  jobIdsInputSchema,
  jobTypeInputSchema,
  newScheduleSchema,
  priorityInputSchema,
  queueInputSchema,
  queueLimitsInputSchema,
  retryInputSchema,
  scheduleIdInputSchema,
} from "#shared/operations";
import { describeIssues } from "../http/describe-issues.ts";
import { mapError } from "../http/map-error.ts";
import { traceChange } from "./trace-change.ts";
import { traceSubmit } from "../observe/trace-submit.ts";
import { procedure, router } from "./trpc.ts";
import type { Context } from "./trpc.ts";

/** @throws InvalidJobError when the payload does not fit the job type. */
function checkPayload(jobType: string, payload: unknown): void {
  const parsed = PAYLOAD_SCHEMAS.get(jobType)?.safeParse(payload);
  if (parsed && !parsed.success) throw new InvalidJobError(`payload: ${describeIssues(parsed.error)}`);
}

/** Changes each job in its own transaction. The result lists every refused job with the reason. */
async function changeEach(ctx: Context, jobIds: readonly string[], act: (jobId: string) => Promise<void>) {
  const refused: { jobId: string; reason: string }[] = [];
  for (const jobId of jobIds) {
    try {
      await act(jobId);
    } catch (error) {
      const mapped = mapError(error);
      if (mapped.httpStatus >= 500) throw error;
      refused.push({ jobId, reason: mapped.message });
    }
  }
  ctx.log.info({ asked: jobIds.length, refused: refused.length }, "bulk change done");
  return { done: jobIds.length - refused.length, refused };
}

async function retry(ctx: Context, entry: string, { jobId, payload }: { jobId: string; payload?: unknown }) {
  const { db, ownerId } = ctx;
  await traceChange(ctx, { name: "job retry", entry, jobId }, async () => {
    if (payload !== undefined) {
      const { jobType } = await db.call(async (sql) => getJob(sql, { ownerId, jobId }));
      checkPayload(jobType, payload);
    }
    await db.transaction(async (tx) => redriveTurn(tx, { ownerId, jobId }, { payload }));
  });
}

async function cancel(ctx: Context, entry: string, jobId: string) {
  return traceChange(ctx, { name: "job cancel", entry, jobId }, async () =>
    ctx.db.transaction(async (tx) => cancelTurn(tx, { ownerId: ctx.ownerId, jobId })),
  );
}

const setTypePaused = (paused: boolean) =>
  procedure.input(jobTypeInputSchema).mutation(async ({ ctx, input: { jobType } }) => {
    await ctx.db.call(async (sql) => pauseJobType(sql, jobType, paused));
    return { jobType, paused };
  });

/** The operators' procedures of the `jobs` router. */
export const jobActions = {
  /** Queues a failed or cancelled job again, or a delayed job now. A given payload replaces the job's payload. */
  retry: procedure.input(retryInputSchema).mutation(async ({ ctx, input: { jobId, payload } }) => {
    await retry(ctx, "jobs.retry", { jobId, payload });
    ctx.log.info({ jobId }, "job retried by an operator");
    return { jobId };
  }),
  retryMany: procedure
    .input(jobIdsInputSchema)
    .mutation(async ({ ctx, input }) =>
      changeEach(ctx, input.jobIds, async (jobId) => retry(ctx, "jobs.retryMany", { jobId })),
    ),
  /** Cancels a queued or waiting job at once, and asks a running job to stop. */
  cancel: procedure.input(jobIdInputSchema).mutation(async ({ ctx, input: { jobId } }) => {
    const status = await cancel(ctx, "jobs.cancel", jobId);
    ctx.log.info({ jobId, status }, "job cancelled by an operator");
    return { jobId, status };
  }),
  cancelMany: procedure.input(jobIdsInputSchema).mutation(async ({ ctx, input }) =>
    changeEach(ctx, input.jobIds, async (jobId) => {
      await cancel(ctx, "jobs.cancelMany", jobId);
    }),
  ),
  changePriority: procedure
    .input(priorityInputSchema)
    .mutation(async ({ ctx: { db, ownerId }, input: { jobId, priority } }) => {
      await db.transaction(async (tx) => changePriority(tx, { ownerId, jobId }, priority));
      return { jobId, priority };
    }),
  deadLetters: procedure
    .input(deadLetterFilterSchema.optional())
    .query(async ({ ctx, input }) =>
      ctx.slowReads.read(async (sql) => listDeadLetters(sql, { ...input, ownerId: ctx.ownerId })),
    ),
  /** Removes jobs from the dead letters. They stay in the history. */
  discard: procedure
    .input(jobIdsInputSchema)
    .mutation(async ({ ctx, input }) =>
      changeEach(ctx, input.jobIds, async (jobId) =>
        ctx.db.transaction(async (tx) => discard(tx, { ownerId: ctx.ownerId, jobId })),
      ),
    ),
  /** Stops the claiming of a job type until `resumeType`. */
  pauseType: setTypePaused(true),
  resumeType: setTypePaused(false),
};

/** Enqueues a job that exports the thread as one document. The job's result is the document. */
export const exportProcedure = procedure.input(exportPayloadSchema).mutation(async ({ ctx, input }) => {
  const job = await traceSubmit(ctx, "threads.export", async (traceContext) =>
    ctx.db.transaction(async (tx) =>
      enqueue(tx, { ownerId: ctx.ownerId, jobType: EXPORT_JOB_TYPE, payload: input, traceContext }),
    ),
  );
  return { jobId: job.jobId };
});

const setQueuePaused = (paused: boolean) =>
  procedure.input(queueInputSchema).mutation(async ({ ctx, input: { queue } }) => {
    await ctx.db.call(async (sql) => pauseQueue(sql, queue, paused));
    return { queue, paused };
  });

export const queues = router({
  list: procedure.query(async ({ ctx }) => ({ queues: await ctx.db.call(listQueues) })),
  create: procedure.input(queueInputSchema).mutation(async ({ ctx, input }) => {
    await ctx.db.call(async (sql) => createQueue(sql, input.queue));
    return input;
  }),
  pause: setQueuePaused(true),
  resume: setQueuePaused(false),
  setLimits: procedure.input(queueLimitsInputSchema).mutation(async ({ ctx, input: { queue, limits } }) => {
    await ctx.db.transaction(async (tx) => setQueueLimits(tx, queue, limits));
    return { queue, limits };
  }),
});

const scheduleKey = (ctx: Context, { scheduleId }: z.infer<typeof scheduleIdInputSchema>) => ({
  ownerId: ctx.ownerId,
  scheduleId,
});

const setSchedulePaused = (paused: boolean) =>
  procedure
    .input(scheduleIdInputSchema)
    .mutation(async ({ ctx, input }) =>
      ctx.db.transaction(async (tx) => pauseSchedule(tx, scheduleKey(ctx, input), paused)),
    );

export const schedules = router({
  list: procedure.query(async ({ ctx }) => ({
    schedules: await ctx.db.call(async (sql) => listSchedules(sql, ctx.ownerId)),
  })),
  /** Creates a schedule, or replaces the one with the same name. */
  save: procedure.input(newScheduleSchema).mutation(async ({ ctx, input }) => {
    checkPayload(input.jobType, input.payload);
    return ctx.db.transaction(async (tx) => saveSchedule(tx, { ...input, ownerId: ctx.ownerId }));
  }),
  pause: setSchedulePaused(true),
  resume: setSchedulePaused(false),
  runNow: procedure.input(scheduleIdInputSchema).mutation(async ({ ctx, input }) => {
    const { jobId } = await ctx.db.transaction(async (tx) => runScheduleNow(tx, scheduleKey(ctx, input)));
    return { jobId };
  }),
  delete: procedure.input(scheduleIdInputSchema).mutation(async ({ ctx, input }) => {
    await ctx.db.call(async (sql) => deleteSchedule(sql, scheduleKey(ctx, input)));
    return input;
  }),
});
