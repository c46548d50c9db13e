import { DatabaseUnavailableError, LeaseLostError } from "#queue";
import type { Tx } from "#queue";
import { fail, park, release, settleCancelled } from "#queue/settle";
import type { FaultPoint } from "#fault";
import type { AttemptOutcome } from "#shared/job-states";
import { putBackDelayMs } from "../claim/refuse.ts";
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
  /** As in the job's history; `lease_lost` and `unsettled` where the attempt could write nothing. */
  outcome: Exclude<AttemptOutcome, "lease_expired"> | "lease_lost" | "unsettled";
  /** The error of a failed attempt. */
  error?: unknown;
  willRetry?: boolean;
}

/** The job's status after the attempt. */
type Status = "queued" | "failed" | "cancelled" | "waiting";

/** How an error of one class ends an attempt. */
interface Outcome<E = unknown> {
  /** Writes the end; absent where the attempt may write nothing. */
  settle?: (tx: Tx, run: AttemptRun, error: E) => Promise<Status>;
  before?: FaultPoint;
  after?: FaultPoint;
  level: "info" | "warn" | "error";
  line: string;
  /** Logged in place of `line` where the job is queued again. */
  retryLine?: string;
  /** Logged besides the job's new status. */
  fields?: (error: E) => object;
  /** The attempt's outcome unless the job ends as cancelled. */
  end: AttemptEnd["outcome"];
  /** True where the error is a fault of the job. */
  isFailure?: true;
}

type Row = Outcome & { matches: (error: unknown) => boolean };

function row<E>(
  errorClass: abstract new (...args: never[]) => E,
  outcome: Outcome<E>,
  when: (error: E) => boolean = () => true,
): Row {
  return { ...(outcome as Outcome), matches: (error) => error instanceof errorClass && when(error) };
}

function failure<E>(
  end: "failed" | "timed_out" | "crashed",
  retryOf: (error: E) => { permanent?: boolean; delayMs?: number } = () => ({}),
): Outcome<E> {
  return {
    settle: (tx, { job, environment: { retry, handlers } }, error) =>
      fail(tx, job, {
        error: describeError(error),
        retry: { ...retry, ...handlers.get(job.jobType)?.retry },
        ...retryOf(error),
        outcome: end,
      }),
    before: "before failing",
    after: "failed",
    level: "warn",
    line: "job failed for good",
    retryLine: "job failed and will be retried",
    fields: (error) => ({ err: describeError(error) }),
    end,
    isFailure: true,
  };
}

const FAILED = failure<unknown>("failed");

/** The first row that matches counts. */
const ROWS: readonly Row[] = [
  row(LeaseLostError, { level: "warn", line: "lease lost: nothing was written for this attempt", end: "lease_lost" }),
  row(ShutdownError, {
    settle: (tx, { job }) => release(tx, job, { reason: "The worker was shutting down" }),
    after: "released",
    level: "info",
    line: "job released",
    end: "released",
  }),
  row(SnoozeError, {
    settle: (tx, { job }, { delayMs, message: reason }) => release(tx, job, { delayMs, reason }),
    after: "snoozed",
    level: "info",
    line: "job snoozed",
    fields: ({ delayMs, message: reason }) => ({ delayMs, reason }),
    end: "released",
  }),
  row(CancelledError, {
    settle: async (tx, { job }) => {
      await settleCancelled(tx, job);
      return "cancelled";
    },
    after: "cancelled",
    level: "info",
    line: "job cancelled",
    end: "cancelled",
  }),
  row(WaitError, {
    settle: (tx, { job }, { questions }) => park(tx, job, questions),
    after: "parked",
    level: "info",
    line: "job waits for a person",
    fields: ({ questions }) => ({ questions: questions.length }),
    end: "waiting",
  }),
  // Only an absent database is no fault of the job: a query that is too slow uses a retry.
  row(
    DatabaseUnavailableError,
    {
      settle: (tx, { job }, error) =>
        release(tx, job, {
          delayMs: putBackDelayMs(job),
          reason: `The database was away: ${describeError(error).message}`,
        }),
      level: "warn",
      line: "job released: the database was away",
      fields: (error) => ({ err: describeError(error) }),
      end: "released",
    },
    (error) => error.isAbsence,
  ),
  row(ProcessDiedError, failure("crashed")),
  row(JobTimeoutError, failure("timed_out")),
  row(
    PermanentError,
    failure("failed", () => ({ permanent: true })),
  ),
  row(
    RetryAfterError,
    failure("failed", ({ delayMs }) => ({ delayMs })),
  ),
];

/** How an error ends an attempt; anything that is not in the table, also a thrown value that is no error, is a failure. */
export function outcomeOf(error: unknown): Outcome {
  return ROWS.find((one) => one.matches(error)) ?? FAILED;
}
