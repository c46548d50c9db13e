import { DatabaseUnavailableError } from "#queue";
import type { Logger } from "pino";
import { describeError } from "./run/describe-error.ts";

/** Logs a failure of a loop that tries again. An absent database is a debug line, because the heartbeat reports it. */
export function logFailure(log: Logger, error: unknown, message: string): void {
  const isAway = error instanceof DatabaseUnavailableError && error.isAbsence;
  log[isAway ? "debug" : "error"]({ err: describeError(error) }, message);
}
