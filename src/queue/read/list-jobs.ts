import type { Executor } from "#db";
import { UUID } from "../check-job.ts";
import { containing, DEFAULT_PAGE_JOBS, jobColumns, toJobList } from "./job-view.ts";
import type { JobColumns } from "./job-view.ts";
import type { JobCounts, JobList, JobListInput } from "#shared/contracts";
import { JOB_STATUSES } from "#shared/job-states";
import type { JobStatus } from "#shared/job-states";

/**
 * One page of the owner's jobs that match, newest first. A UUID as `search` finds the job or the thread's jobs with that
 * id. Any other text is searched for in ids, job type, error and payload.
 */
export async function listJobs(
  sql: Executor,
  { ownerId, ...input }: JobListInput & { ownerId: string },
): Promise<JobList> {
  const limit = input.limit ?? DEFAULT_PAGE_JOBS;
  const rows = await sql<(JobColumns & { seq: string })[]>`
    select ${jobColumns(sql)}, jobs.seq::text as seq from jobs
    where owner_id = ${ownerId}
      ${input.status ? sql`and status = ${input.status}::job_status` : sql``}
      ${input.jobType ? sql`and job_type = ${input.jobType}` : sql``}
      ${input.queue ? sql`and queue = ${input.queue}` : sql``}
      ${input.cursor ? sql`and seq < ${input.cursor}::bigint` : sql``}
      ${input.search ? matchSearch(sql, input.search) : sql``}
    order by jobs.seq desc limit ${limit + 1}`;
  return toJobList(rows, limit);
}

function matchSearch(sql: Executor, search: string) {
  // As an array, the ids are looked up first by their indexes. Otherwise a plan may walk all of the owner's jobs.
  const id = search.trim();
  if (UUID.test(id))
    return sql`and id = any (array(
      select id from jobs where id = ${id}::uuid union select id from jobs where thread_id = ${id}::uuid
    ))`;
  const pattern = containing(search);
  return sql`and (id::text ilike ${pattern} or thread_id::text ilike ${pattern} or job_type ilike ${pattern}
    or error_message ilike ${pattern} or payload::text ilike ${pattern})`;
}

/** The number of the owner's jobs in each state. */
export async function countJobs(sql: Executor, ownerId: string): Promise<JobCounts> {
  const rows = await sql<{ status: JobStatus; count: number }[]>`
    select status, count(*)::int as count from jobs where owner_id = ${ownerId} group by status`;
  const found = new Map(rows.map((row) => [row.status, row.count]));
  return Object.fromEntries(JOB_STATUSES.map((status) => [status, found.get(status) ?? 0])) as JobCounts;
}
