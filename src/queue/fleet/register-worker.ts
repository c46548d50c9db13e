import type { PendingQuery, Row } from "postgres";
import type { Executor } from "#db";
import type { WorkerRow } from "#shared/contracts";
import { iso } from "../read/job-view.ts";

export interface WorkerReport {
  workerId: string;
  host: string;
  pid: number;
  version: string;
  concurrency: number;
  running: number;
  state: "active" | "draining" | "stopped";
  /** What it runs; told when it enters, and not changed after that. */
  offers: readonly Offer[];
  /** How often it reports, in milliseconds: two reports that are missing are a gap in its contact with the database. */
  heartbeatMs: number;
}

/** A job type that a worker runs, or tried to. */
export interface Offer {
  jobType: string;
  description: string | null;
  /** Why it cannot be run; null when it can. */
  error: string | null;
}

/** Enters a worker in the registry, or renews its entry. */
export async function reportWorker(sql: Executor, worker: WorkerReport): Promise<void> {
  await sql`
    insert into workers (id, host, pid, version, concurrency, running, state, offers)
    values (${worker.workerId}, ${worker.host}, ${worker.pid}, ${worker.version}, ${worker.concurrency}, ${worker.running}, ${worker.state},
      ${JSON.stringify(worker.offers)}::text::jsonb)
    on conflict (id) do update set running = excluded.running, state = excluded.state, heartbeat_at = clock_timestamp(),
      contact_since = case when ${hasContact(sql, worker)} then workers.contact_since else clock_timestamp() end`;
}

/** The worker that reaps. It must itself have had contact with the database. */
export type Reaper = Pick<WorkerReport, "workerId" | "heartbeatMs">;

/** The condition on a row of `workers` that it has not missed two heartbeats. */
function hasContact(sql: Executor, { heartbeatMs }: Pick<Reaper, "heartbeatMs">): PendingQuery<Row[]> {
  return sql`(workers.heartbeat_at > clock_timestamp() - make_interval(secs => ${(2 * heartbeatMs) / 1000}::float8))`;
}

/**
 * How long a worker must still wait before it may take back the jobs of others, as an interval; zero when it may. When the
 * database was away, all workers have missed their heartbeats, and each gets one heartbeat's time to extend its leases.
 */
export function reapingDelay(sql: Executor, reaper: Reaper): PendingQuery<Row[]> {
  const grace = sql`make_interval(secs => ${reaper.heartbeatMs / 1000}::float8)`;
  return sql`coalesce((
    select greatest(contact_since + ${grace} - clock_timestamp(), interval '0') from workers
    where id = ${reaper.workerId} and ${hasContact(sql, reaper)}
  ), ${grace})`;
}

const ALIVE_WITHIN_MS = 60_000;
/** How long after its last worker's end a job type is still expected to be run again. */
const REPLACED_WITHIN_MS = 600_000;
const LISTED = 200;

/** The condition on a row of `workers` that its process lives, as far as one can tell. */
export function isAlive(sql: Executor): PendingQuery<Row[]> {
  return sql`(state <> 'stopped' and heartbeat_at > clock_timestamp() - make_interval(secs => ${ALIVE_WITHIN_MS / 1000}::float8))`;
}

/**
 * The condition on a row of `workers` that what it offers can be had: its process lives. Where none lives, such as
 * between two runs of the whole product, what the last of them offered is what the next are expected to.
 */
export function isOffering(sql: Executor): PendingQuery<Row[]> {
  return sql`(${isAlive(sql)} or (
    not exists (select 1 from workers where ${isAlive(sql)})
    and heartbeat_at > (select max(heartbeat_at) from workers) - make_interval(secs => ${ALIVE_WITHIN_MS / 1000}::float8)))`;
}

/** Whether a worker runs the job type that lives, or did until lately: one that is being replaced may come back. */
export async function isRunSomewhere(sql: Executor, jobType: string): Promise<boolean> {
  const runs = JSON.stringify([{ jobType, error: null }]);
  const rows = await sql`
    select 1 from workers where heartbeat_at > clock_timestamp() - make_interval(secs => ${REPLACED_WITHIN_MS / 1000}::float8)
      and offers @> ${runs}::text::jsonb limit 1`;
  return rows.length > 0;
}

/** The workers that were lately seen, newest heartbeat first; one is alive whose heartbeat is under a minute old. */
export async function listWorkers(sql: Executor): Promise<WorkerRow[]> {
  const rows = await sql<
    {
      id: string;
      host: string;
      pid: number;
      version: string;
      concurrency: number;
      running: number;
      state: string;
      alive: boolean;
      job_types: string;
      started_at: string;
      heartbeat_at: string;
    }[]
  >`
    select *, ${isAlive(sql)} as alive, jsonb_path_query_array(offers, '$[*] ? (@.error == null).jobType')::text as job_types
    from workers order by heartbeat_at desc limit ${LISTED}`;
  return rows.map((row) => ({
    workerId: row.id,
    host: row.host,
    pid: row.pid,
    version: row.version,
    concurrency: row.concurrency,
    running: row.running,
    state: row.state,
    alive: row.alive,
    jobTypes: JSON.parse(row.job_types) as string[],
    startedAt: iso(row.started_at),
    heartbeatAt: iso(row.heartbeat_at),
  }));
}
