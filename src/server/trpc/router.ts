/*
 * trpc/ owns the typed API: procedures, their inputs and their errors. A procedure calls one verb or one read, in one
 * transaction at most. It contains no SQL, and knows HTTP only in `trpc-route.ts`. `#server/router` exports its type.
 */
import {
  answer,
  getDecisionSet,
  getDecisionVersion,
  getThread,
  listGraphs,
  listThreads,
  submitTurn,
  getTurn,
} from "#conversation";
import { listWorkers } from "#queue/fleet";
import { tracked } from "@trpc/server";
import { z } from "zod";
import { answerInputSchema } from "#shared/interrupts";
import {
  decisionSetInputSchema,
  decisionVersionInputSchema,
  jobEventsInputSchema,
  jobIdInputSchema,
  jobListInputSchema,
  submitInputSchema,
} from "#shared/contracts";
import type { SubmitInput } from "#shared/contracts";
import { MAX_THREAD_PAGE_BYTES } from "#shared/limits";
import { threadInputSchema } from "#shared/thread-pages";
import { exportProcedure, jobActions, queues, schedules } from "./operations-router.ts";
import { traceChange } from "./trace-change.ts";
import { traceSubmit } from "../observe/trace-submit.ts";
import { procedure, router, toTrpcError } from "./trpc.ts";
import type { Context } from "./trpc.ts";
import { waitForEnd } from "../live/wait-for-end.ts";

async function submit(ctx: Context, input: SubmitInput, entry: string) {
  const submitted = await traceSubmit(ctx, entry, async (traceContext) =>
    ctx.db.transaction((tx) => submitTurn(tx, { ...input, ownerId: ctx.ownerId, traceContext })),
  );
  ctx.log.info({ jobId: submitted.jobId, threadId: submitted.threadId }, "job submitted");
  return submitted;
}

const listThreadsInputSchema = z
  .object({
    limit: z
      .int("limit must be a whole number")
      .min(1, "limit must be at least 1")
      .max(500, "limit must be at most 500")
      .optional(),
  })
  .optional();

const chat = router({
  /** Stores one message and its job. Returns after the commit. */
  submit: procedure.input(submitInputSchema).mutation(async ({ ctx, input }) => submit(ctx, input, "chat.submit")),
  /** Submits, and waits at most 5 minutes for the job's end. */
  send: procedure.input(submitInputSchema).mutation(async ({ ctx, input }) => {
    const { jobId } = await submit(ctx, input, "chat.send");
    return waitForEnd({ ...ctx, jobId });
  }),
  /** Answers a question of a waiting job, which then continues. */
  answer: procedure.input(answerInputSchema).mutation(async ({ ctx, input }) => {
    const { jobId } = input;
    const change = { name: "job answer", entry: "chat.answer", jobId };
    const status = await traceChange(ctx, change, async () =>
      ctx.db.transaction(async (tx) => answer(tx, { ...input, ownerId: ctx.ownerId })),
    );
    ctx.log.info({ jobId, interruptId: input.interruptId }, "interrupt answered");
    return { jobId, status };
  }),
});

const jobs = router({
  status: procedure
    .input(jobIdInputSchema)
    .query(async ({ ctx, input }) => ctx.reads.status({ ...input, ownerId: ctx.ownerId })),
  get: procedure
    .input(jobIdInputSchema)
    .query(async ({ ctx, input }) => ctx.db.call((sql) => getTurn(sql, { ...input, ownerId: ctx.ownerId }))),
  list: procedure
    .input(jobListInputSchema.optional())
    .query(async ({ ctx, input }) => ctx.reads.list({ ...input, ownerId: ctx.ownerId })),
  /** Streams a job's events, each once and in order, up to the closing event. */
  events: procedure.input(jobEventsInputSchema).subscription(async function* events({ ctx, input, signal }) {
    const closed = signal ? AbortSignal.any([signal, ctx.signal]) : ctx.signal;
    const { jobId, lastEventId } = input;
    try {
      for await (const event of ctx.feeds.follow({ ownerId: ctx.ownerId, jobId, after: lastEventId, signal: closed })) {
        yield tracked(String(event.seq), event);
      }
    } catch (error) {
      throw toTrpcError(error, ctx);
    }
  }),
  ...jobActions,
  counts: procedure.query(async ({ ctx }) => ctx.counter.count(ctx.ownerId)),
});

const threads = router({
  export: exportProcedure,
  list: procedure.input(listThreadsInputSchema).query(async ({ ctx, input }) => ({
    threads: await ctx.db.call((sql) => listThreads(sql, { ownerId: ctx.ownerId, limit: input?.limit ?? 100 })),
  })),
  get: procedure
    .input(threadInputSchema)
    .query(async ({ ctx, input: { threadId, cursor } }) =>
      ctx.db.call((sql) =>
        getThread(sql, { threadId, ownerId: ctx.ownerId }, { before: cursor, maxBytes: MAX_THREAD_PAGE_BYTES }),
      ),
    ),
});

const decisionSets = router({
  get: procedure
    .input(decisionSetInputSchema)
    .query(async ({ ctx, input }) => ctx.db.call((sql) => getDecisionSet(sql, { ...input, ownerId: ctx.ownerId }))),
  version: procedure
    .input(decisionVersionInputSchema)
    .query(async ({ ctx, input }) => ctx.db.call((sql) => getDecisionVersion(sql, { ...input, ownerId: ctx.ownerId }))),
});

const workers = router({
  list: procedure.query(async ({ ctx }) => ({ workers: await ctx.db.call(listWorkers) })),
});

const graphs = router({
  /** The graphs besides the built-in one. A broken graph comes with its error. */
  list: procedure.query(async ({ ctx }) => ({ graphs: await ctx.db.call(listGraphs) })),
});

export const appRouter = router({ chat, graphs, jobs, threads, decisionSets, workers, queues, schedules });
/** The types of all procedures, for typed clients. */
export type AppRouter = typeof appRouter;
