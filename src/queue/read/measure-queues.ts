import type { Tx } from "#db";
import { isAlive } from "../fleet/liveness.ts";
import type { JobStatus } from "#shared/job-states";
import { READY } from "../predicates.ts";

/** Counting stops here: operators must see that a backlog is long, not its exact length. */
export const MAX_COUNTED = 10_000;
const MAX_QUEUES = 200;
/** The (priority, owner) lines of a queue that are searched for the oldest job, the lowest priority first. */
const MAX_LINES = 100;
/** The jobs of each line that are searched: a retried job may precede a job that has been ready for longer. */
const MAX_LINE_JOBS = 10;
/** A table up to this size is read whole; in a larger one completed jobs are estimated. */
const SMALL_TABLE_BYTES = 4 * 1024 * 1024;
const LONGEST_STATEMENT_MS = 2_000;

export interface QueueFigures {
  queue: string;
  /** Jobs that a worker may claim. */
  ready: number;
  /** The time since the oldest ready job was due, in milliseconds; null without ready jobs. */
  oldestReadyMs: number | null;
  running: number;
}

export interface FleetFigures {
  /** Each counted up to 10,000. Completed jobs of a large table are estimated by its statistics; null without statistics. */
  jobs: Record<Exclude<JobStatus, "completed">, number> & { completed: number | null };
  /** Failed jobs that were not discarded, among the newest 10,000. */
  deadLetters: number;
  queues: QueueFigures[];
  /** Live workers, and the number of jobs that they can run at once. */
  workers: { alive: number; slots: number };
}

/**
 * The figures that operators watch, of all owners. The cost does not grow with the tables: index probes only, and no count
 * beyond `MAX_COUNTED`. Do nothing else in the transaction: it plans without table scans.
 */
export async function measureQueues(tx: Tx): Promise<FleetFigures> {
  // With some statistics the planner would choose a table scan.
  await tx`select set_config(name, value, true) from (values ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'),
    ('jit', 'off'), ('statement_timeout', ${String(LONGEST_STATEMENT_MS)})) as settings (name, value)`;
  const [queued, running, rest, queues, workers] = await Promise.all([
    countQueued(tx),
    countRunning(tx),
    countSettled(tx),
    measureReady(tx),
    countWorkers(tx),
  ]);
  const runningIn = new Map(running.map((row) => [row.queue, row.count]));
  const counts = {
    queued,
    running: running.reduce((sum, row) => sum + row.count, 0),
    waiting: rest.get("waiting")?.count ?? 0,
    failed: rest.get("failed")?.count ?? 0,
    cancelled: rest.get("cancelled")?.count ?? 0,
  };
  const others = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return {
    jobs: { ...counts, completed: await countCompleted(tx, others) },
    deadLetters: rest.get("failed")?.open ?? 0,
    queues: queues.map((row) => ({ ...row, running: runningIn.get(row.queue) ?? 0 })),
    workers,
  };
}

async function countQueued(tx: Tx): Promise<number> {
  const [row] = await tx<{ count: number }[]>`
    select count(*)::int as count from (
      select 1 from jobs where status = 'queued' order by owner_id, seq desc limit ${MAX_COUNTED}
    ) as counted`;
  return row?.count ?? 0;
}

async function countRunning(tx: Tx): Promise<{ queue: string; count: number }[]> {
  return tx<{ queue: string; count: number }[]>`
    select queue, count(*)::int as count from (
      select queue from jobs where status = 'running' order by lease_expires_at limit ${MAX_COUNTED}
    ) as counted group by queue`;
}

interface Settled {
  status: JobStatus;
  count: number;
  /** The jobs that were not discarded. */
  open: number;
}

async function countSettled(tx: Tx): Promise<Map<JobStatus, Settled>> {
  // The index begins with the owner. The query walks its (owner, state) pairs, one probe each, and then counts each pair.
  const indexed = tx`status in ('waiting', 'failed', 'cancelled')`;
  const rows = await tx<Settled[]>`
    with recursive pairs as (
      (select owner_id, status, 1 as turn from jobs where ${indexed} order by owner_id, status limit 1)
      union all
      select pair.owner_id, pair.status, pairs.turn + 1 from pairs cross join lateral (
        select owner_id, status from jobs
        where ${indexed} and (owner_id, status) > (pairs.owner_id, pairs.status)
        order by owner_id, status limit 1
      ) as pair where pairs.turn < ${MAX_LINES}
    )
    select state.status, found.count, found.open
    from unnest(array['waiting', 'failed', 'cancelled']::job_status[]) as state (status) cross join lateral (
      select count(*)::int as count, count(*) filter (where discarded_at is null)::int as open from (
        select job.discarded_at from pairs cross join lateral (
          select discarded_at from jobs where ${indexed} and owner_id = pairs.owner_id and status = pairs.status
          order by seq desc limit ${MAX_COUNTED}
        ) as job where pairs.status = state.status limit ${MAX_COUNTED}
      ) as counted
    ) as found`;
  return new Map(rows.map((row) => [row.status, row]));
}

/** Estimates in a large table, because no index covers completed jobs: they are most of the table. */
async function countCompleted(tx: Tx, others: number): Promise<number | null> {
  const [row] = await tx<{ count: number | null }[]>`
    select case when pg_relation_size('jobs') <= ${SMALL_TABLE_BYTES}::bigint
      then (select count(*) from jobs where status = 'completed')
      else (select greatest(reltuples - ${others}::int, 0) from pg_class where oid = 'jobs'::regclass and reltuples >= 0)
    end::float8 as count`;
  return row?.count ?? null;
}

async function measureReady(tx: Tx): Promise<Omit<QueueFigures, "running">[]> {
  const ready = tx.unsafe(READY);
  return tx<Omit<QueueFigures, "running">[]>`
    with recursive named as materialized (
      select name from queues order by name limit ${MAX_QUEUES}
    ), lines as (
      -- One probe of the claim index for each (priority, owner), from its end: the jobs that starve are there.
      select named.name as queue, line.priority, line.owner_id, 1 as turn from named cross join lateral (
        select priority, owner_id from jobs where queue = named.name and ${ready}
        order by priority, owner_id limit 1
      ) as line
      union all
      select lines.queue, line.priority, line.owner_id, lines.turn + 1 from lines cross join lateral (
        select priority, owner_id from jobs
        where queue = lines.queue and ${ready} and (priority, owner_id) > (lines.priority, lines.owner_id)
        order by priority, owner_id limit 1
      ) as line where lines.turn < ${MAX_LINES}
    ), oldest as (
      select lines.queue, min(greatest(head.run_at, head.created_at)) as due from lines cross join lateral (
        select run_at, created_at from jobs
        where queue = lines.queue and ${ready} and (priority, owner_id) <= (lines.priority, lines.owner_id)
          and (priority, owner_id) >= (lines.priority, lines.owner_id)
        order by priority desc, owner_id desc, seq limit ${MAX_LINE_JOBS}
      ) as head group by lines.queue
    )
    select named.name as queue, counted.count as ready,
      -- greatest() ignores null and would return 0.
      case when oldest.due is not null then greatest(extract(epoch from clock_timestamp() - oldest.due) * 1000, 0) end::float8
        as "oldestReadyMs"
    from named left join oldest on oldest.queue = named.name cross join lateral (
      select count(*)::int as count from (
        select 1 from jobs where queue = named.name and ${ready}
        order by priority desc, owner_id desc limit ${MAX_COUNTED}
      ) as ready
    ) as counted
    order by named.name`;
}

async function countWorkers(tx: Tx): Promise<FleetFigures["workers"]> {
  const [row] = await tx<{ alive: number; slots: number }[]>`
    select count(*)::int as alive, coalesce(sum(concurrency), 0)::int as slots from workers where ${isAlive(tx)}`;
  return row ?? { alive: 0, slots: 0 };
}
