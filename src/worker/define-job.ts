import type { z } from "zod";
import type { Logger } from "pino";
import type { Claim, ClaimedJob, Tx } from "#queue";
import { PermanentError } from "./errors.ts";

/** What a handler has at hand while it runs. */
export interface RunContext<Payload> {
  job: ClaimedJob;
  payload: Payload;
  /** Aborted when the lease is lost, the time is up or the worker leaves: stop then. */
  signal: AbortSignal;
  log: Logger;
  /** Shows which step the run has reached. */
  progress: (step: string) => Promise<void>;
}

export interface RunResult {
  /** Kept on the job as JSON; null unless given. */
  result?: unknown;
  /** Writes that commit in the same transaction as the job's completion, or not at all. */
  effects?: (tx: Tx, claim: Claim) => Promise<void>;
}

export interface JobDefinition<Payload> {
  type: string;
  payload: z.ZodType<Payload>;
  /** The longest one run may take, in milliseconds; the worker's default unless given. */
  timeoutMs?: number;
  run: (context: RunContext<Payload>) => Promise<RunResult>;
}

/** A job type that a worker can run, its payload still unchecked. */
export interface JobHandler {
  type: string;
  timeoutMs?: number;
  /** @throws PermanentError when the payload is not what the type takes. */
  run: (context: RunContext<unknown>) => Promise<RunResult>;
}

/** Makes a job type: its payload is checked before each run, so that the handler gets it typed. */
export function defineJob<Payload>({ type, payload: schema, timeoutMs, run }: JobDefinition<Payload>): JobHandler {
  return {
    type,
    ...(timeoutMs !== undefined && { timeoutMs }),
    async run(context) {
      const parsed = schema.safeParse(context.payload);
      if (!parsed.success) {
        const faults = parsed.error.issues
          .map((issue) => `${issue.path.join(".") || "payload"}: ${issue.message}`)
          .join("; ");
        throw new PermanentError(`The payload does not fit job type ${type}: ${faults}`);
      }
      return run({ ...context, payload: parsed.data });
    },
  };
}
