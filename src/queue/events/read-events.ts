import type { Executor } from "#db";
import { iso } from "#shared/iso";
import { NotFoundError } from "../errors.ts";
import type { JobKey } from "../lock-job.ts";
import { closingEvent } from "./closing-event.ts";
import type { JobEvent } from "#shared/contracts";
import { MAX_EVENT_PAGE_BYTES } from "#shared/limits";
import type { JobStatus } from "#shared/job-states";

export interface EventPage {
  /** In order and without gaps, starting after `after`. */
  events: JobEvent[];
  /** True when the job has ended and its closing event is in this page or before it. */
  closed: boolean;
}

/**
 * Reads a job's events after a number, in one snapshot: at most `limit` events and about `MAX_EVENT_PAGE_BYTES`, but at
 * least one.
 * @throws NotFoundError when the owner has no such job.
 */
export async function readEvents(
  sql: Executor,
  { ownerId, jobId }: JobKey,
  { after, limit }: { after: number; limit: number },
): Promise<EventPage> {
  const rows = await sql<EventRow[]>`
    select jobs.status, jobs.attempt as job_attempt, jobs.event_seq, jobs.completed_at, jobs.error_message, event.*
    from jobs left join lateral (
      select seq, attempt, type, data, created_at from (
        select *, sum(octet_length(data::text)) over (order by seq) - octet_length(data::text) as bytes_before
        from (
          select * from job_events where job_id = jobs.id and seq > ${after} order by seq limit ${limit}
        ) as page
      ) as page
      where bytes_before = 0 or bytes_before < ${MAX_EVENT_PAGE_BYTES}
    ) as event on true
    where jobs.id = ${jobId} and jobs.owner_id = ${ownerId}
    order by event.seq`;
  const [job] = rows;
  if (!job) throw new NotFoundError("Job", jobId);
  const events = rows.flatMap((row): JobEvent[] =>
    row.seq === null
      ? []
      : [{ seq: row.seq, attempt: row.attempt, type: row.type, data: row.data, createdAt: iso(row.created_at) }],
  );
  const last = events.at(-1)?.seq ?? after;
  if (last < job.event_seq) return { events, closed: false };
  const closing = closingEvent({ ...job, attempt: job.job_attempt });
  return { events: [...events, ...closing.filter((event) => event.seq > after)], closed: closing.length > 0 };
}

interface EventRow {
  status: JobStatus;
  job_attempt: number;
  event_seq: number;
  completed_at: string | null;
  error_message: string | null;
  seq: number | null;
  attempt: number;
  type: string;
  data: unknown;
  created_at: string;
}
