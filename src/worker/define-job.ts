import { InvalidJobError, MAX_DELAY_MS } from "#queue";
import type { Claim, ClaimedJob, NewJob, Tx } from "#queue";
import type { RetryPolicy } from "#queue/settle";
import type { z } from "zod";
import type { Logger } from "pino";
import type { Usage } from "#shared/usage";
import { PermanentError, SnoozeError } from "./errors.ts";

/** Calls the database through `work`, and repeats the call while the database is away. */
export type Persist = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * The context of a running handler. Destructure it by name, and do not spread it: a copy (`{ ...context }`) lacks the parts
 * that are created on first use, such as `signal` and `log`.
 */
export interface RunContext<Payload> {
  job: ClaimedJob;
  payload: Payload;
  /** Aborted when the lease is lost, the job is cancelled, its time is up or the worker's grace period is over: stop. */
  signal: AbortSignal;
  /** Aborted when the worker starts to shut down: stop where another worker can resume, and throw `ShutdownError`. */
  drain: AbortSignal;
  log: Logger;
  /** Shows the run's current step on the job. */
  progress: (step: string, detail?: string) => void;
  /** Adds an event to the job's log, which readers follow live. `type` is not a closing type; `data` is any JSON value. */
  emit: (type: string, data: unknown) => void;
  /** Adds to the attempt's use of models. The run is aborted when all attempts together exceed the job's budget. */
  spend: (usage: Usage) => void;
  /**
   * Calls the product's database through `work`. Repeats the call while the database is away and this attempt may own its
   * job, so a `work` that writes must be safe to send twice.
   * @throws the reason of the stop once the run is stopped: let it pass.
   */
  persist: Persist;
}

export interface RunResult {
  /** Stored on the job as JSON; null unless given. */
  result?: unknown;
  /**
   * Writes that commit with the job's completion or not at all. It must do nothing but write: each retry of the transaction
   * calls it again, and a lost lease rolls it back.
   */
  effects?: (tx: Tx, claim: Claim) => Promise<void>;
}

export interface JobDefinition<Payload> {
  type: string;
  /** Checks the payload when `job` makes a job, and before each run. */
  payload: z.ZodType<Payload>;
  /** The worker's policy unless given. */
  retry?: Partial<RetryPolicy> & { maxRetries?: number };
  /** The longest one run may take, in milliseconds; the worker's default unless given. */
  timeoutMs?: number;
  run: (context: RunContext<Payload>) => Promise<RunResult | void>;
}

/** A job type that a worker can run. It checks the payload itself. */
export interface JobHandler {
  type: string;
  /** One sentence for people; absent where the type's name is enough. */
  description?: string;
  retry?: Partial<RetryPolicy>;
  timeoutMs?: number;
  /** @throws PermanentError when the payload does not fit the type. */
  run: (context: RunContext<unknown>) => Promise<RunResult>;
}

/** A job type that makes its own typed jobs. */
export interface JobType<Payload> extends JobHandler {
  /**
   * Makes a job of this type for `enqueue`.
   * @throws InvalidJobError with the name of the payload's wrong field.
   */
  job: (payload: Payload, options: Omit<NewJob, "jobType" | "payload">) => NewJob;
}

/** Defines a job type. Each run gets the parsed, typed payload. */
export function defineJob<Payload>(definition: JobDefinition<Payload>): JobType<Payload> {
  const { type, payload: schema, retry, timeoutMs, run } = definition;
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
      // Assigned, because a copy would create every lazy part of the context.
      return (await run(Object.assign(context, { payload: parsed.data }))) ?? {};
    },
  };
}

/**
 * Releases the running job for `delayMs` without using a retry. Call it in a handler; it always throws.
 * @param delayMs from 0 to ten years.
 * @throws RangeError for another delay, which fails the attempt.
 */
export function snooze(delayMs: number): never {
  if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) throw new RangeError(`snooze takes 0 to ${MAX_DELAY_MS} ms`);
  throw new SnoozeError(delayMs);
}

function misfit(type: string, error: z.ZodError): string {
  const faults = error.issues.map((issue) => `${issue.path.join(".") || "payload"}: ${issue.message}`).join("; ");
  return `The payload does not fit job type ${type}: ${faults}`;
}

/** Wraps every run, for example in a check. Calls `next` and returns or throws its outcome. */
export type Middleware = (context: RunContext<unknown>, next: () => Promise<RunResult>) => Promise<RunResult>;

/** Maps job types to their handlers, each wrapped in the middleware. The first middleware is the outermost. */
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
