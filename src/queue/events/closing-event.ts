import type { JobEvent } from "#shared/contracts";
import { iso } from "#shared/iso";
import { isTerminal } from "#shared/job-states";
import type { JobStatus } from "#shared/job-states";

/** The columns of a job that imply its closing event. */
export interface EndColumns {
  status: JobStatus;
  attempt: number;
  event_seq: number;
  completed_at: string | null;
  error_message: string | null;
}

/** An ended job's closing event, which has no row: the status implies it. Its number follows the last event's. */
export function closingEvent(job: EndColumns): JobEvent[] {
  if (!isTerminal(job.status) || job.completed_at === null) return [];
  const data = job.status !== "completed" && job.error_message !== null ? { error: job.error_message } : {};
  return [{ seq: job.event_seq + 1, attempt: job.attempt, type: job.status, data, createdAt: iso(job.completed_at) }];
}
