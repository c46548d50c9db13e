import { readTrace } from "#queue/read";
import { readTraceContext } from "../observe/trace-submit.ts";
import type { Context } from "./trpc.ts";

interface Change {
  /** The name of the span, such as `job answer`. */
  name: string;
  /** The procedure of the request. */
  entry: string;
  jobId: string;
}

/**
 * Changes an existing job within a span of the job's own trace, like the job's attempts, and links the caller's trace.
 * For a job without a trace, the span joins the caller's trace.
 */
export async function traceChange<T>(
  { tracer, headers, db, ownerId }: Pick<Context, "tracer" | "headers" | "db" | "ownerId">,
  { name, entry, jobId }: Change,
  change: () => Promise<T>,
): Promise<T> {
  if (!tracer) return change();
  const caller = readTraceContext(headers);
  // If this read fails, the change fails too and reports the error.
  const own = await db.call(async (sql) => readTrace(sql, { ownerId, jobId })).catch(() => ({}));
  const hasTrace = "traceparent" in own;
  const span = tracer.start(name, {
    parent: hasTrace ? own : caller,
    links: hasTrace ? [caller] : [],
    attributes: { "threadmill.entry": entry, "threadmill.job.id": jobId },
  });
  try {
    return await span.run(change);
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}
