import type { ClaimedJob, Database } from "#queue";
import { claim, claimLimited } from "#queue/claim";
import { promote } from "#queue/ready";
import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { wrapHandlers } from "./define-job.ts";
import type { JobHandler, Middleware, RunResult } from "./define-job.ts";
import { Completer } from "./claim/completer.ts";
import { AttemptRun } from "./run/attempt-run.ts";
import { runJob } from "./run/run-job.ts";

export interface DrainOptions {
  db: Database;
  handlers: readonly JobHandler[];
  middleware?: readonly Middleware[];
  /** The most attempts, because a job may always enqueue another; 1,000 unless given. */
  most?: number;
}

const LEASE_MS = 60_000;
const silent = pino({ level: "silent" });

/**
 * For tests: runs every job that is or becomes ready, one after another in this process. Retries have no delay. Returns the
 * attempts in their order.
 * @throws Error when more than `most` attempts are needed.
 */
export async function drain({ db, handlers, middleware = [], most = 1_000 }: DrainOptions): Promise<ClaimedJob[]> {
  const options = { workerId: `drain-${randomUUID()}`, limit: 1, leaseMs: LEASE_MS };
  const environment = {
    db,
    log: silent,
    handlers: wrapHandlers(handlers, middleware),
    completer: new Completer(db),
    retry: { baseMs: 0, capMs: 0 },
    defaultTimeoutMs: LEASE_MS,
    leaseMs: LEASE_MS,
    drain: new AbortController().signal,
    leaving: new AbortController().signal,
    onRan: () => undefined,
  };
  const ran: ClaimedJob[] = [];
  for (;;) {
    await db.transaction(promote);
    const found = await db.call(async (sql) => claim(sql, options));
    const [job] =
      found.jobs.length > 0 ? found.jobs : (await db.transaction(async (tx) => claimLimited(tx, options))).jobs;
    if (!job) return ran;
    if (ran.length === most) throw new Error(`More than ${most} jobs were ready: does one make another for ever?`);
    ran.push(job);
    await runJob(new AttemptRun(job, environment));
  }
}

export interface InlineOptions {
  middleware?: readonly Middleware[];
  signal?: AbortSignal;
  /** Called with the events that the handler emits. */
  emit?: (type: string, data: unknown) => void;
  /** Fields of the job besides the type and the payload. */
  job?: Partial<ClaimedJob>;
}

/**
 * For tests: runs a handler on a payload without a queue or a database. Returns its result, and does not write its effects.
 * @throws PermanentError when the payload does not fit; the handler's errors.
 */
export async function runInline(
  handler: JobHandler,
  payload: unknown,
  options: InlineOptions = {},
): Promise<RunResult> {
  const job: ClaimedJob = {
    jobId: randomUUID(),
    attempt: 1,
    workerId: "inline",
    ownerId: "local",
    threadId: null,
    limitKey: null,
    decisionSetId: null,
    jobType: handler.type,
    queue: "default",
    priority: 0,
    payload,
    retryCount: 0,
    maxRetries: 0,
    crashCount: 0,
    timeoutMs: null,
    budget: null,
    eventSeq: 0,
    waitedMs: null,
    traceContext: null,
    ...options.job,
  };
  const wrapped = wrapHandlers([handler], options.middleware).get(handler.type) ?? handler;
  return wrapped.run({
    job,
    payload,
    signal: options.signal ?? new AbortController().signal,
    drain: new AbortController().signal,
    log: silent,
    progress: () => undefined,
    emit: options.emit ?? (() => undefined),
    spend: () => undefined,
    persist: (work) => work(),
  });
}
