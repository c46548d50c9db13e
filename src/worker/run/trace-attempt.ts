import type { ClaimedJob } from "#queue";
import type { Span, Tracer } from "#tracing";
import type { AttemptEnd } from "./outcome-of.ts";

/**
 * Opens the span of an attempt, in the trace of the job's submit. The span starts at `claimSentMs`, when the worker sent the
 * claim, in milliseconds since 1970.
 */
export function openAttempt(tracer: Tracer, job: ClaimedJob, claimSentMs: number): Span {
  const span = tracer.start(`job run ${job.jobType}`, {
    kind: "consumer",
    parent: job.traceContext ?? {},
    startMs: claimSentMs,
    attributes: {
      "messaging.system": "threadmill",
      "messaging.operation.type": "process",
      "messaging.destination.name": job.queue,
      "messaging.message.id": job.jobId,
      "threadmill.job.id": job.jobId,
      "threadmill.job.type": job.jobType,
      "threadmill.job.attempt": job.attempt,
      "threadmill.job.retry_count": job.retryCount,
      "threadmill.job.crash_count": job.crashCount,
      "threadmill.job.priority": job.priority,
      "threadmill.job.wait_ms": job.waitedMs,
      "threadmill.queue": job.queue,
      "threadmill.thread.id": job.threadId,
      "threadmill.worker.id": job.workerId,
    },
  });
  tracer.start("claim", { parent: span, startMs: claimSentMs }).end();
  return span;
}

/** Runs an attempt within its span and records its end there. */
export async function followAttempt(span: Span, run: () => Promise<AttemptEnd>): Promise<AttemptEnd> {
  const end = await span.run(run);
  span.set({ "threadmill.attempt.outcome": end.outcome, "threadmill.attempt.will_retry": end.willRetry });
  if (end.error !== undefined) span.fail(end.error);
  span.end();
  return end;
}
