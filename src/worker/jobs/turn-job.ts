import { readAnswers, readPast } from "#conversation";
import { holdsLease, LeaseLostError } from "#queue";
import type { Database } from "#queue";
import type { z } from "zod";
import { FencedSaver } from "#checkpoint";
import type { SaverOptions } from "#checkpoint";
import { DrainedError, PermanentGraphError, RateLimitedGraphError } from "#graph";
import type { ModelUse, TurnInput, TurnOptions } from "#graph";
import type { chatPayloadSchema } from "#shared/contracts";
import { MAX_REPLY_BYTES } from "#shared/limits";
import type { Tracer } from "#tracing";
import type { RunContext } from "../define-job.ts";
import { PermanentError, RetryAfterError, ShutdownError } from "../errors.ts";
import { AttemptRun } from "../run/attempt-run.ts";
import { storable } from "../run/storable.ts";

/** The price of one million tokens, in US dollars. */
export interface ModelPrice {
  /** As `provider:name`; other models have no known price. */
  model: string;
  input: number;
  output: number;
}

export interface TurnJobOptions {
  db: Database;
  /** Null without a known price: the cost of a turn is then unknown. */
  price: ModelPrice | null;
  /** Absent without tracing. */
  tracer?: Tracer | undefined;
}

export type TurnContext = RunContext<z.infer<typeof chatPayloadSchema>>;

/** The arguments of a graph for one turn of a thread. */
export interface Turn {
  input: TurnInput;
  options: TurnOptions;
  decisionSetId: string;
  /** True for the first attempt of a thread's first turn: the thread has no checkpoint yet. */
  isFresh: boolean;
}

/**
 * Prepares a graph's run for the job of a turn. The graph's events go to the job's log.
 * @throws PermanentError when the job belongs to no thread: submit it with `chat.submit`.
 */
export async function openTurn(context: TurnContext, { db, price, tracer }: TurnJobOptions): Promise<Turn> {
  const { job, payload, signal, drain, progress, emit, spend, persist } = context;
  const { jobId, threadId, decisionSetId, attempt, jobType } = job;
  if (threadId === null || decisionSetId === null)
    throw new PermanentError(`${jobType} jobs belong to a thread: submit them with chat.submit`);
  const { messageId, content, history = [], branch, runId = jobId } = payload;
  return {
    decisionSetId,
    isFresh: payload.freshThread === true && attempt === 1,
    input: { threadId, messageId, content, history },
    options: {
      runId,
      signal,
      drain,
      answers:
        attempt === 1 ? new Map<string, unknown>() : await persist(() => db.call((sql) => readAnswers(sql, jobId))),
      ...(branch && {
        branch: { ...branch, readPast: () => persist(() => db.transaction((tx) => readPast(tx, messageId))) },
      }),
      onStep: (step) => progress(step),
      // `onStep` shows steps as progress.
      onEvent: (event) => event.type !== "step" && emit(event.type, event.data),
      onUse: ({ model, ...used }) => spend({ ...used, costUsd: costOf({ model, ...used }, price) }),
      tracer,
    },
  };
}

/** The checkpoint saver of a run. Its writes take effect only while the attempt holds its lease. */
export function openSaver(
  context: Pick<TurnContext, "job" | "persist">,
  { db, ...mode }: { db: Database } & Pick<SaverOptions, "isFresh" | "isWriteBehind">,
): FencedSaver {
  const { job, persist } = context;
  return new FencedSaver({
    call: (work) => persist(() => db.call(work)),
    ...mode,
    fence: {
      holds: (sql) => holdsLease(sql, job),
      lost: () => new LeaseLostError(job.jobId, job.attempt),
      // A checkpoint also writes the run's waiting events, to save a commit.
      piggyback: () => (context instanceof AttemptRun ? context.eventWriter?.piggyback() : undefined),
    },
  });
}

/** The cost in US dollars; null when the model has no known price. */
export function costOf({ model, inputTokens, outputTokens }: ModelUse, price: ModelPrice | null): number | null {
  return price === null || model !== price.model
    ? null
    : (inputTokens * price.input + outputTokens * price.output) / 1e6;
}

/**
 * Makes a reply storable in PostgreSQL.
 * @throws PermanentError when it has more than `MAX_REPLY_BYTES`.
 */
export function checkReply(given: string): string {
  const reply = storable(given);
  const bytes = Buffer.byteLength(reply);
  if (bytes > MAX_REPLY_BYTES)
    throw new PermanentError(`The reply has ${bytes} bytes: at most ${MAX_REPLY_BYTES} are kept`);
  return reply;
}

/** Maps an error of a graph to the error that ends its job's attempt. */
export function toJobError(error: unknown): unknown {
  if (error instanceof DrainedError) return new ShutdownError(error.message, { cause: error });
  if (error instanceof PermanentGraphError) return new PermanentError(error.message, { cause: error });
  if (error instanceof RateLimitedGraphError && error.retryAfterMs !== null)
    return new RetryAfterError(error.message, error.retryAfterMs, { cause: error });
  return error;
}
