import type { Executor } from "#db";
import { isAlive } from "./liveness.ts";
import type { WorkerRow } from "#shared/contracts";
import { iso } from "#shared/iso";

const MAX_LISTED = 200;

/** The last 200 workers, newest heartbeat first. A worker is alive while its heartbeat is under a minute old. */
export async function listWorkers(sql: Executor): Promise<WorkerRow[]> {
  const rows = await sql<(Omit<WorkerRow, "jobTypes"> & { jobTypes: string })[]>`
    select id as "workerId", host, pid, version, concurrency, running, state, ${isAlive(sql)} as alive,
      jsonb_path_query_array(offers, '$[*] ? (@.error == null).jobType')::text as "jobTypes",
      started_at as "startedAt", heartbeat_at as "heartbeatAt"
    from workers order by heartbeat_at desc limit ${MAX_LISTED}`;
  return rows.map((row) => ({
    ...row,
    jobTypes: JSON.parse(row.jobTypes) as string[],
    startedAt: iso(row.startedAt),
    heartbeatAt: iso(row.heartbeatAt),
  }));
}
