import type { Executor } from "#db";
import { hasContact } from "./reaping-delay.ts";

export interface WorkerReport {
  workerId: string;
  host: string;
  pid: number;
  version: string;
  concurrency: number;
  running: number;
  state: "active" | "draining" | "stopped";
  /** Its job types. Stored with its first report and never changed. */
  offers: readonly Offer[];
  /** The interval of its reports, in milliseconds. Two missing reports are a gap in its contact with the database. */
  heartbeatMs: number;
}

/** A job type that a worker runs or failed to load. */
export interface Offer {
  jobType: string;
  description: string | null;
  /** The reason why it cannot be run; null when it can. */
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
