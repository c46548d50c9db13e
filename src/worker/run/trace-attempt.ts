import type { ClaimedJob } from "#queue";
import type { Span, Tracer } from "#tracing";
import type { AttemptEnd } from "./run-job.ts";

/**
 * Begins the span of an attempt, part of the trace that the job was submitted in; so is every other attempt of it.
 * `claimSentMs` is when the claim was sent, in milliseconds since 1970: the attempt begins with it.
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

/** Runs an attempt as what its span tells of, and ends the span with how it ended. */
export async function followAttempt(span: Span, run: () => Promise<AttemptEnd>): Promise<AttemptEnd> {
  const end = await span.run(run);
  span.set({ "threadmill.attempt.outcome": end.outcome, "threadmill.attempt.will_retry": end.willRetry });
  if (end.error !== undefined) span.fail(end.error);
  span.end();
  return end;
}
