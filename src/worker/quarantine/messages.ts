/** What a worker and the process in which it runs a job alone say to each other. */
import { LeaseLostError } from "#queue";
import type { ClaimedJob } from "#queue";
import { CancelledError, ShutdownError } from "../errors.ts";
import type { AttemptEnd } from "../run/run-job.ts";

/** Why a run must stop, in a form from which the other process rebuilds the error. */
type StopMessage =
  | { type: "stop"; reason: "lease lost"; jobId: string; attempt: number }
  | { type: "stop"; reason: "cancelled" | "shutdown" };

export type ToQuarantine = { type: "run"; job: ClaimedJob } | { type: "drain" } | StopMessage;

/** `began` comes before the handler runs: a death before it says nothing about the job. */
export type FromQuarantine = { type: "began" } | { type: "ended"; outcome: AttemptEnd["outcome"] };

/** The message that stops a run for this reason. */
export function toStopMessage(reason: unknown): StopMessage {
  if (reason instanceof LeaseLostError)
    return { type: "stop", reason: "lease lost", jobId: reason.jobId, attempt: reason.attempt };
  return { type: "stop", reason: reason instanceof CancelledError ? "cancelled" : "shutdown" };
}

/** The error that a run is stopped with. */
export function toStopReason(message: StopMessage): Error {
  if (message.reason === "lease lost") return new LeaseLostError(message.jobId, message.attempt);
  return message.reason === "cancelled"
    ? new CancelledError("The job was cancelled")
    : new ShutdownError("The worker is shutting down");
}
