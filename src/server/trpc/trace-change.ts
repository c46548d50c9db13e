import { readTrace } from "#queue/read";
import { readTraceContext } from "./trace-submit.ts";
import type { Context } from "./trpc.ts";

interface Change {
  /** What is done to the job, as the span's name: `job answer`. */
  name: string;
  /** The procedure it came by. */
  entry: string;
  jobId: string;
}

/**
 * Does something to a job that is there already, within a span of the trace that the job was submitted in, as its later
 * attempts are; a caller that has a trace of its own is linked. A job of no trace gets its span in the caller's.
 */
export async function traceChange<T>(
  { tracer, headers, db, ownerId }: Pick<Context, "tracer" | "headers" | "db" | "ownerId">,
  { name, entry, jobId }: Change,
  change: () => Promise<T>,
): Promise<T> {
  if (!tracer) return change();
  const caller = readTraceContext(headers);
  // Where it cannot be read, the change says why.
  const own = await db.call(async (sql) => readTrace(sql, { ownerId, jobId })).catch(() => ({}));
  const joins = "traceparent" in own;
  const span = tracer.start(name, {
    parent: joins ? own : caller,
    links: joins ? [caller] : [],
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
