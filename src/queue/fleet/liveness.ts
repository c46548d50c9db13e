import type { Executor } from "#db";
import type { PendingQuery, Row } from "postgres";

const ALIVE_WITHIN_MS = 60_000;

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
