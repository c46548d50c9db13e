import type { Executor } from "#db";
import { isAlive } from "./liveness.ts";
import type { WorkerRow } from "#shared/contracts";
import { iso } from "#shared/iso";

const LISTED = 200;

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
