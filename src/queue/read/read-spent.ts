import type { Executor } from "#db";
import { addUsage } from "./job-view.ts";
import type { Usage } from "#shared/usage";

/** The usage of models by a job's earlier attempts; null without any. */
export async function readSpent(sql: Executor, jobId: string): Promise<Usage | null> {
  const rows = await sql<{ usage: Usage }[]>`
    select usage from job_attempts where job_id = ${jobId} and usage is not null`;
  return addUsage(rows.map((row) => row.usage));
}
