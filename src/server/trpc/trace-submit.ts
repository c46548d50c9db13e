import type { IncomingHttpHeaders } from "node:http";
import type { TraceContext, Tracer } from "#tracing";

/** Who submits: the request's headers, and the procedure or the route it came by. */
export interface Submitter {
  /** Absent where nothing is traced. */
  tracer: Tracer | undefined;
  headers: IncomingHttpHeaders;
  entry: string;
}

/** What is known of a job once it is there. */
interface Submission {
  jobId: string;
  threadId?: string | null;
}

/** Submits within a span that is part of the caller's trace, by its `traceparent`; the job is given the context of the span. */
export async function traceSubmit<T extends Submission>(
  { tracer, headers, entry }: Submitter,
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

/** The caller's trace context; empty where the headers carry none. @see https://www.w3.org/TR/trace-context/ */
export function readTraceContext({ traceparent, tracestate }: IncomingHttpHeaders): TraceContext {
  if (typeof traceparent !== "string") return {};
  return { traceparent, ...(typeof tracestate === "string" && { tracestate }) };
}
