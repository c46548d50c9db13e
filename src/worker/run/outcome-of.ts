import { DatabaseUnavailableError, LeaseLostError } from "#queue";
import type { Tx } from "#queue";
import { fail, park, release, settleCancelled } from "#queue/settle";
import type { FaultPoint } from "#fault";
import type { AttemptOutcome } from "#shared/job-states";
import { releaseDelayMs } from "../claim/refuse.ts";
import {
  CancelledError,
  JobTimeoutError,
  PermanentError,
  ProcessDiedError,
  RetryAfterError,
  ShutdownError,
  SnoozeError,
  WaitError,
} from "../errors.ts";
import type { AttemptRun } from "./attempt-run.ts";
import { describeError } from "./describe-error.ts";

/** How an attempt ended. */
export interface AttemptEnd {
  /** As in the job's history; `lease_lost` and `unsettled` when the attempt could write nothing. */
  outcome: Exclude<AttemptOutcome, "lease_expired"> | "lease_lost" | "unsettled";
  /** The error of a failed attempt. */
  error?: unknown;
  willRetry?: boolean;
}

/** The job's status after the attempt. */
type Status = "queued" | "failed" | "cancelled" | "waiting";

/** How an error of one class ends an attempt. */
interface Outcome<E = unknown> {
  /** The name of the outcome in the history, unless the job ends as cancelled. */
  name: AttemptEnd["outcome"];
  /** Writes the end; absent when the attempt may write nothing. */
  settle?: (tx: Tx, run: AttemptRun, error: E) => Promise<Status>;
  before?: FaultPoint;
  after?: FaultPoint;
  level: "info" | "warn" | "error";
  line: string;
  /** Logged instead of `line` when the job is queued again. */
  retryLine?: string;
  /** Logged besides the job's new status. */
  fields?: (error: E) => object;
  /** True when the job is at fault. */
  isFailure?: true;
}

type Rule = Outcome & { matches: (error: unknown) => boolean };

function rule<E>(
  errorClass: abstract new (...args: never[]) => E,
  outcome: Outcome<E>,
  when: (error: E) => boolean = () => true,
): Rule {
  return { ...(outcome as Outcome), matches: (error) => error instanceof errorClass && when(error) };
}

function failure<E>(
  name: "failed" | "timed_out" | "crashed",
  retryOf: (error: E) => { permanent?: boolean; delayMs?: number } = () => ({}),
): Outcome<E> {
  return {
    settle: (tx, { job, environment: { retry, handlers } }, error) =>
      fail(tx, job, {
        error: describeError(error),
        retry: { ...retry, ...handlers.get(job.jobType)?.retry },
        ...retryOf(error),
        outcome: name,
      }),
    before: "before failing",
    after: "failed",
    level: "warn",
    line: "job failed for good",
    retryLine: "job failed and will be retried",
    fields: (error) => ({ err: describeError(error) }),
    name,
    isFailure: true,
  };
}

const FAILED = failure<unknown>("failed");

/** The first matching rule counts. */
const RULES: readonly Rule[] = [
  rule(LeaseLostError, { level: "warn", line: "lease lost: nothing was written for this attempt", name: "lease_lost" }),
  rule(ShutdownError, {
    settle: (tx, { job }) => release(tx, job, { reason: "The worker was shutting down" }),
    after: "released",
    level: "info",
    line: "job released",
    name: "released",
  }),
  rule(SnoozeError, {
    settle: (tx, { job }, { delayMs, message: reason }) => release(tx, job, { delayMs, reason }),
    after: "snoozed",
    level: "info",
    line: "job snoozed",
    fields: ({ delayMs, message: reason }) => ({ delayMs, reason }),
    name: "released",
  }),
  rule(CancelledError, {
    settle: async (tx, { job }) => {
      await settleCancelled(tx, job);
      return "cancelled";
    },
    after: "cancelled",
    level: "info",
    line: "job cancelled",
    name: "cancelled",
  }),
  rule(WaitError, {
    settle: (tx, { job }, { questions }) => park(tx, job, questions),
    after: "parked",
    level: "info",
    line: "job waits for a person",
    fields: ({ questions }) => ({ questions: questions.length }),
    name: "waiting",
  }),
  // Only an absent database releases the job: a slow query uses a retry.
  rule(
    DatabaseUnavailableError,
    {
      settle: (tx, { job }, error) =>
        release(tx, job, {
          delayMs: releaseDelayMs(job),
          reason: `The database was away: ${describeError(error).message}`,
        }),
      level: "warn",
      line: "job released: the database was away",
      fields: (error) => ({ err: describeError(error) }),
      name: "released",
    },
    (error) => error.isAbsence,
  ),
  rule(ProcessDiedError, failure("crashed")),
  rule(JobTimeoutError, failure("timed_out")),
  rule(
    PermanentError,
    failure("failed", () => ({ permanent: true })),
  ),
  rule(
    RetryAfterError,
    failure("failed", ({ delayMs }) => ({ delayMs })),
  ),
];

/** How a thrown value ends an attempt. A value without a rule is a failure, even if it is no `Error`. */
export function outcomeOf(error: unknown): Outcome {
  return RULES.find((one) => one.matches(error)) ?? FAILED;
}
