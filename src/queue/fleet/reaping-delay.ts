import type { Executor } from "#db";
import type { PendingQuery, Row } from "postgres";

/** The worker that reaps. It must have been in contact with the database. */
export interface Reaper {
  workerId: string;
  /** The interval of its reports, in milliseconds. */
  heartbeatMs: number;
}

/** The condition on a row of `workers` that its worker has not missed two heartbeats. */
export function hasContact(sql: Executor, { heartbeatMs }: Pick<Reaper, "heartbeatMs">): PendingQuery<Row[]> {
  return sql`(workers.heartbeat_at > clock_timestamp() - make_interval(secs => ${(2 * heartbeatMs) / 1000}::float8))`;
}

/**
 * The interval that a worker must still wait before it may reap; zero when it may. After an outage of the database all
 * workers have missed their heartbeats, and each gets one heartbeat's time to extend its leases.
 */
export function reapingDelay(sql: Executor, reaper: Reaper): PendingQuery<Row[]> {
  const grace = sql`make_interval(secs => ${reaper.heartbeatMs / 1000}::float8)`;
  return sql`coalesce((
    select greatest(contact_since + ${grace} - clock_timestamp(), interval '0') from workers
    where id = ${reaper.workerId} and ${hasContact(sql, reaper)}
  ), ${grace})`;
}
