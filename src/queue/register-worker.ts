import type { PendingQuery, Row } from "postgres";
import type { Executor } from "#db";
import type { WorkerRow } from "#shared/contracts";
import { iso } from "./job-view.ts";

export interface WorkerReport {
  workerId: string;
  host: string;
  pid: number;
  version: string;
  concurrency: number;
  running: number;
  state: "active" | "draining" | "stopped";
}

/** Enters a worker in the registry, or renews its entry. */
export async function reportWorker(sql: Executor, worker: WorkerReport): Promise<void> {
  await sql`
    insert into workers (id, host, pid, version, concurrency, running, state)
    values (${worker.workerId}, ${worker.host}, ${worker.pid}, ${worker.version}, ${worker.concurrency}, ${worker.running}, ${worker.state})
    on conflict (id) do update set running = excluded.running, state = excluded.state, heartbeat_at = clock_timestamp()`;
}

const ALIVE_WITHIN_MS = 60_000;
const LISTED = 200;

/** The condition on a row of `workers` that its process lives, as far as one can tell. */
export function isAlive(sql: Executor): PendingQuery<Row[]> {
  return sql`(state <> 'stopped' and heartbeat_at > clock_timestamp() - make_interval(secs => ${ALIVE_WITHIN_MS / 1000}::float8))`;
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
      started_at: string;
      heartbeat_at: string;
    }[]
  >`
    select *, ${isAlive(sql)} as alive
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
    startedAt: iso(row.started_at),
    heartbeatAt: iso(row.heartbeat_at),
  }));
}
