import type { Executor } from "#db";
import { reapingDelay } from "../fleet/reaping-delay.ts";
import type { Reaper } from "../fleet/reaping-delay.ts";
import { mayExpire } from "../settle/expire-interrupts.ts";
import type { PendingQuery, Row } from "postgres";
import { READY } from "../predicates.ts";

/** A worker's other work besides running ready jobs. Waits are in milliseconds by the database's clock. */
export interface Survey {
  /** Until the next delayed job; 0 or less when it is due, null when there is none. */
  dueMs: number | null;
  /** Until the first lease has expired and this worker may reap; null when no job runs. */
  leaseMs: number | null;
  /** Until the next limited key may admit a job; null when none waits. */
  admitMs: number | null;
  /** Until the next schedule's tick; null when there is none. */
  tickMs: number | null;
  /** Until the next deadline of an unanswered question; null when there is none. */
  answerMs: number | null;
  /** True when a queue without a limit of running jobs has ready jobs. */
  ready: boolean;
  /** True when a queue with a limit of running jobs has ready jobs. */
  limited: boolean;
  /** True when `sweepPaused` has work: ready jobs of a paused type, or held jobs of a resumed type. */
  paused: boolean;
}

/**
 * Reads when each kind of work is due, in one statement of a few index probes. Without a reaper, leases are due as soon as
 * they expire.
 */
export async function survey(sql: Executor, reaper?: Reaper): Promise<Survey> {
  const wait = (column: PendingQuery<Row[]>) => sql`(extract(epoch from ${column} - clock_timestamp()) * 1000)::float8`;
  const leaseEnd = reaper
    ? sql`case when min(lease_expires_at) is not null
        then greatest(min(lease_expires_at), clock_timestamp() + ${reapingDelay(sql, reaper)}) end`
    : sql`min(lease_expires_at)`;
  const [row] = await sql<Survey[]>`
    select
      (select ${wait(sql`min(run_at)`)} from jobs where status = 'queued' and hold = 'time') as "dueMs",
      (select ${wait(leaseEnd)} from jobs where status = 'running') as "leaseMs",
      (select ${wait(sql`min(admit_at)`)} from limit_keys) as "admitMs",
      (select ${wait(sql`min(next_run_at)`)} from schedules where not paused) as "tickMs",
      (select ${wait(sql`deadline_at`)} from job_interrupts join jobs on jobs.id = job_id
        where ${mayExpire(sql)} order by deadline_at limit 1) as "answerMs",
      exists (
        select 1 from queues where not paused and limits ->> 'concurrency' is null
          and exists (select 1 from jobs where queue = queues.name and ${sql.unsafe(READY)})
      ) as ready,
      exists (
        select 1 from queues where not paused and limits ->> 'concurrency' is not null
          and exists (select 1 from jobs where queue = queues.name and ${sql.unsafe(READY)})
      ) as limited,
      exists (select 1 from jobs where status = 'queued' and hold = 'paused'
        and job_type <> all (array(select name from job_types where paused)))
      or (exists (select 1 from job_types where paused) and exists (
        select 1 from queues cross join lateral (
          select job_type from jobs where queue = queues.name and ${sql.unsafe(READY)}
          order by priority desc, owner_id desc, seq limit 100
        ) as head where job_type = any (array(select name from job_types where paused))
      )) as paused`;
  if (!row) throw new Error("the survey returned no row");
  return row;
}
