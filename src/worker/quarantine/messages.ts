/** The messages between a worker and the process in which it runs a job alone. */
import { LeaseLostError } from "#queue";
import type { ClaimedJob } from "#queue";
import { CancelledError, ShutdownError } from "../errors.ts";
import type { AttemptEnd } from "../run/outcome-of.ts";

/** The reason of a stop, from which the child makes the error again. */
type StopMessage =
  | { type: "stop"; reason: "lease lost"; jobId: string; attempt: number }
  | { type: "stop"; reason: "cancelled" | "shutdown" };

export type ToQuarantine = { type: "run"; job: ClaimedJob } | { type: "drain" } | StopMessage;

/** `began` is sent before the handler runs: a death before it is no fault of the job. */
export type FromQuarantine = { type: "began" } | { type: "ended"; outcome: AttemptEnd["outcome"] };

export function toStopMessage(reason: unknown): StopMessage {
  if (reason instanceof LeaseLostError)
    return { type: "stop", reason: "lease lost", jobId: reason.jobId, attempt: reason.attempt };
  return { type: "stop", reason: reason instanceof CancelledError ? "cancelled" : "shutdown" };
}

export function toStopReason(message: StopMessage): Error {
  if (message.reason === "lease lost") return new LeaseLostError(message.jobId, message.attempt);
  return message.reason === "cancelled"
    ? new CancelledError("The job was cancelled")
    : new ShutdownError("The worker is shutting down");
}
