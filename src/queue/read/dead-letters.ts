import type { Executor } from "#db";
import { containing, DEFAULT_PAGE_JOBS, jobColumns, toJobList } from "./job-view.ts";
import type { JobColumns } from "./job-view.ts";
import type { JobList } from "#shared/contracts";
import type { DeadLetterFilter } from "#shared/operations";

/** One page of the owner's failed jobs that match and were not discarded, newest first. */
export async function listDeadLetters(
  sql: Executor,
  { ownerId, ...filter }: DeadLetterFilter & { ownerId: string },
): Promise<JobList> {
  const limit = filter.limit ?? DEFAULT_PAGE_JOBS;
  const rows = await sql<(JobColumns & { seq: string })[]>`
    select ${jobColumns(sql)}, jobs.seq::text as seq from jobs
    where owner_id = ${ownerId} and status = 'failed' and discarded_at is null
      ${filter.jobType ? sql`and job_type = ${filter.jobType}` : sql``}
      ${filter.queue ? sql`and queue = ${filter.queue}` : sql``}
      ${filter.error ? sql`and error_message ilike ${containing(filter.error)}` : sql``}
      ${filter.failedAfter ? sql`and completed_at >= ${filter.failedAfter}::text::timestamptz` : sql``}
      ${filter.failedBefore ? sql`and completed_at < ${filter.failedBefore}::text::timestamptz` : sql``}
      ${filter.cursor ? sql`and seq < ${filter.cursor}::bigint` : sql``}
    order by jobs.seq desc limit ${limit + 1}`;
  return toJobList(rows, limit);
}
