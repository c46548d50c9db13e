import { DatabaseUnavailableError, QueryTimeoutError, QueueError } from "#queue";
import type { DatabaseFault, QueueErrorCode } from "#queue";
import type { TRPC_ERROR_CODE_KEY } from "@trpc/server";

interface MappedError {
  trpcCode: TRPC_ERROR_CODE_KEY;
  httpStatus: number;
  message: string;
}

const QUEUE_ERRORS: Record<QueueErrorCode, Pick<MappedError, "trpcCode" | "httpStatus">> = {
  LEASE_LOST: { trpcCode: "CONFLICT", httpStatus: 409 },
  NOT_FOUND: { trpcCode: "NOT_FOUND", httpStatus: 404 },
  JOB_CONFLICT: { trpcCode: "CONFLICT", httpStatus: 409 },
  INVALID_ANSWER: { trpcCode: "BAD_REQUEST", httpStatus: 400 },
  INVALID_QUEUE: { trpcCode: "BAD_REQUEST", httpStatus: 400 },
  INVALID_SCHEDULE: { trpcCode: "BAD_REQUEST", httpStatus: 400 },
  INVALID_JOB: { trpcCode: "BAD_REQUEST", httpStatus: 400 },
};

const DATABASE_MESSAGES: Record<Exclude<DatabaseFault, "TOO_SLOW">, string> = {
  AWAY: "The database cannot be reached",
  READ_ONLY: "The database takes no writes: it is a standby or set to read-only",
  DISK_FULL: "The database has no space left on its disk",
  NO_MEMORY: "The database has no memory left",
  NO_CONNECTION: "The database has no connection left",
  AT_LIMIT: "The database has reached one of its limits",
  SYSTEM_ERROR: "The database cannot read or write its files",
};

/** The public message of an unknown error. */
export const INTERNAL_ERROR = "Internal error: see the server's log";
/** Seconds that a caller should wait before its next try when the database cannot serve. */
export const RETRY_AFTER_SECONDS = 2;

/** Maps an error to its tRPC code, HTTP status and public message. The text of an unknown error never becomes public. */
export function mapError(error: unknown): MappedError {
  if (error instanceof QueueError) return { ...QUEUE_ERRORS[error.code], message: error.message };
  if (error instanceof DatabaseUnavailableError) {
    return {
      trpcCode: "SERVICE_UNAVAILABLE",
      httpStatus: 503,
      message:
        error instanceof QueryTimeoutError
          ? error.message
          : `${describeUnavailable(error)}: try again shortly; a submit is safe to repeat with the same idempotency key`,
    };
  }
  return { trpcCode: "INTERNAL_SERVER_ERROR", httpStatus: 500, message: INTERNAL_ERROR };
}

/** Explains in public words why the database cannot serve. */
export function describeUnavailable(error: DatabaseUnavailableError): string {
  return error.fault === "TOO_SLOW" ? error.message : DATABASE_MESSAGES[error.fault];
}
