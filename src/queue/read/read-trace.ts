import type { Executor } from "#db";
import type { JobKey } from "../lock-job.ts";

/** The trace context of a job's submit; empty when there was none or the owner has no such job. */
export async function readTrace(sql: Executor, { ownerId, jobId }: JobKey): Promise<Readonly<Record<string, string>>> {
  const [row] = await sql<{ trace_context: string | null }[]>`
    select trace_context::text from jobs where id = ${jobId} and owner_id = ${ownerId}`;
  return JSON.parse(row?.trace_context ?? "{}") as Record<string, string>;
}
