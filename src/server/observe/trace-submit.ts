import type { IncomingHttpHeaders } from "node:http";
import type { TraceContext, Tracer } from "#tracing";

interface Submitter {
  /** Absent when tracing is off. */
  tracer: Tracer | undefined;
  headers: IncomingHttpHeaders;
}

/** The parts of a stored job that the span records. */
interface Submission {
  jobId: string;
  threadId?: string | null;
}

/**
 * Submits within a span of the caller's trace (`traceparent`). The job stores the context of this span.
 * @param entry the procedure or the route of the request.
 */
export async function traceSubmit<T extends Submission>(
  { tracer, headers }: Submitter,
  entry: string,
  submit: (traceContext?: TraceContext) => Promise<T>,
): Promise<T> {
  if (!tracer) return submit();
  const span = tracer.start("job submit", {
    kind: "producer",
    parent: readTraceContext(headers),
    attributes: {
      "messaging.system": "threadmill",
      "messaging.operation.type": "send",
      "threadmill.entry": entry,
    },
  });
  try {
    const submitted = await span.run(async () => submit(span.context));
    span.set({
      "messaging.message.id": submitted.jobId,
      "threadmill.job.id": submitted.jobId,
      "threadmill.thread.id": submitted.threadId,
    });
    return submitted;
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}

/** Reads the caller's trace context; empty without a `traceparent`. @see https://www.w3.org/TR/trace-context/ */
export function readTraceContext({ traceparent, tracestate }: IncomingHttpHeaders): TraceContext {
  if (typeof traceparent !== "string") return {};
  return { traceparent, ...(typeof tracestate === "string" && { tracestate }) };
}
