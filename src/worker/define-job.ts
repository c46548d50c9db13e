import { InvalidJobError, MAX_DELAY_MS } from "#queue";
import type { Claim, ClaimedJob, NewJob, Tx } from "#queue";
import type { RetryPolicy } from "#queue/settle";
import type { z } from "zod";
import type { Logger } from "pino";
import type { Usage } from "#shared/usage";
import { PermanentError, SnoozeError } from "./errors.ts";
import type { Persist } from "./run/persist.ts";

/**
 * What a handler has at hand while it runs. Take out of it by name what you need: a copy (`{ ...context }`) has only the
 * job, its payload and `drain`, for the rest is made when it is asked for.
 */
export interface RunContext<Payload> {
  job: ClaimedJob;
  payload: Payload;
  /** Aborted when the lease is lost, the job is cancelled, the time is up or the worker leaves: stop then. */
  signal: AbortSignal;
  /** Aborted once the worker wants to leave: come to a stop where the run can go on elsewhere, and throw `ShutdownError`. */
  drain: AbortSignal;
  log: Logger;
  /** Shows which step the run has reached. */
  progress: (step: string, detail?: string) => void;
  /** Adds to the job's event log, which readers follow live; any type but the closing ones, any JSON value. */
  emit: (type: string, data: unknown) => void;
  /** Adds to what the attempt has used of models; the run is aborted once that is more than the job's budget. */
  spend: (usage: Usage) => void;
  /**
   * Calls the product's database through `work`, again while the database is away, for as long as this attempt may own
   * its job. Work that writes must be safe to send twice.
   */
  persist: Persist;
}

export interface RunResult {
  /** Kept on the job as JSON; null unless given. */
  result?: unknown;
  /**
   * Writes that commit in the same transaction as the job's completion, or not at all. They are made again where that is
   * sent again, and undone where the attempt turns out to have lost its job: do nothing in it but write.
   */
  effects?: (tx: Tx, claim: Claim) => Promise<void>;
}

export interface JobDefinition<Payload> {
  type: string;
  /** Checked when a job is made with `job`, and again before each run. */
  payload: z.ZodType<Payload>;
  /** The worker's policy unless given. */
  retry?: Partial<RetryPolicy> & { maxRetries?: number };
  /** The longest one run may take, in milliseconds; the worker's default unless given. */
  timeoutMs?: number;
  run: (context: RunContext<Payload>) => Promise<RunResult | void>;
}

/** A job type that a worker can run, its payload still unchecked. */
export interface JobHandler {
  type: string;
  /** What it does, for people; absent where its type says so. */
  description?: string;
  retry?: Partial<RetryPolicy>;
  timeoutMs?: number;
  /** @throws PermanentError when the payload is not what the type takes. */
  run: (context: RunContext<unknown>) => Promise<RunResult>;
}

/** A job type with the typed way to make its jobs. */
export interface JobType<Payload> extends JobHandler {
  /**
   * A job of this type, ready to be enqueued.
   * @throws InvalidJobError naming the payload's field that does not fit.
   */
  job: (payload: Payload, options: Omit<NewJob, "jobType" | "payload">) => NewJob;
}

/** Makes a job type: its payload is checked before each run, so that the handler gets it typed. */
export function defineJob<Payload>({
  type,
  payload: schema,
  retry,
  timeoutMs,
  run,
}: JobDefinition<Payload>): JobType<Payload> {
  return {
    type,
    ...(retry !== undefined && { retry }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    job(payload, options) {
      const parsed = schema.safeParse(payload);
      if (!parsed.success) throw new InvalidJobError(misfit(type, parsed.error));
      return { maxRetries: retry?.maxRetries, ...options, jobType: type, payload };
    },
    async run(context) {
      const parsed = schema.safeParse(context.payload);
      if (!parsed.success) throw new PermanentError(misfit(type, parsed.error));
      // Not copied: what the context makes when it is asked for would be made for every run.
      return (await run(Object.assign(context, { payload: parsed.data }))) ?? {};
    },
  };
}

/**
 * Puts the running job back until later, without using up a retry; call it in a handler: it never returns.
 * @param delayMs from 0 to ten years.
 * @throws RangeError when it is not, which fails the attempt.
 */
export function snooze(delayMs: number): never {
  if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) throw new RangeError(`snooze takes 0 to ${MAX_DELAY_MS} ms`);
  throw new SnoozeError(delayMs);
}

function misfit(type: string, error: z.ZodError): string {
  const faults = error.issues.map((issue) => `${issue.path.join(".") || "payload"}: ${issue.message}`).join("; ");
  return `The payload does not fit job type ${type}: ${faults}`;
}

/** Something to do around every run, such as tracing or a check; call `next` to go on, and return or throw its outcome. */
export type Middleware = (context: RunContext<unknown>, next: () => Promise<RunResult>) => Promise<RunResult>;

/** The handlers by their types, with the middleware around each, the first outermost. */
export function wrapHandlers(
  handlers: readonly JobHandler[],
  middleware: readonly Middleware[] = [],
): ReadonlyMap<string, JobHandler> {
  return new Map(handlers.map((handler) => [handler.type, { ...handler, run: wrap(handler, middleware) }]));
}

function wrap(handler: JobHandler, middleware: readonly Middleware[]): JobHandler["run"] {
  return middleware.reduceRight<JobHandler["run"]>(
    (inner, around) => (context) => around(context, async () => inner(context)),
    (context) => handler.run(context),
  );
}
