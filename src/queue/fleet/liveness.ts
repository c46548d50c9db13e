import type { Executor } from "#db";
import type { PendingQuery, Row } from "postgres";

const ALIVE_WITHIN_MS = 60_000;

/** The condition on a row of `workers` that its process seems to be alive. */
export function isAlive(sql: Executor): PendingQuery<Row[]> {
  return sql`(state <> 'stopped' and heartbeat_at > clock_timestamp() - make_interval(secs => ${ALIVE_WITHIN_MS / 1000}::float8))`;
}

/**
 * The condition on a row of `workers` that its offers count: its process is alive. While no worker is alive, as during a
 * restart of the product, the last workers' offers count: the next workers will probably repeat them.
 */
export function isOffering(sql: Executor): PendingQuery<Row[]> {
  return sql`(${isAlive(sql)} or (
    not exists (select 1 from workers where ${isAlive(sql)})
    and heartbeat_at > (select max(heartbeat_at) from workers) - make_interval(secs => ${ALIVE_WITHIN_MS / 1000}::float8)))`;
}
