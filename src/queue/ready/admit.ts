import type { Executor, Tx } from "#db";
import { notifyReady } from "../events/notices.ts";
import { distinctKeys, lockLimit } from "../locks.ts";
import type { LimitedKey } from "../locks.ts";
import { READY } from "../predicates.ts";

interface Account {
  slots: number | null;
  rate_limit: number | null;
  per_ms: number | null;
  taken: number;
  /** How far the key's arrival time lies ahead of now, in milliseconds; 0 when it lies behind. */
  ahead_ms: number;
}

/**
 * Readies jobs of a limited key while its queue's limits per key have free slots: higher priority first, then older
 * first. Call it with the key locked; without a key it does nothing.
 * @see https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm for the rate.
 */
export async function admit(tx: Tx, { queue, limitKey }: LimitedKey): Promise<void> {
  if (limitKey === null) return;
  // Cleared before the count: a request of `admitSoon` that comes after the count must stay.
  await tx`update limit_keys set admit_at = null where queue = ${queue} and key = ${limitKey} and admit_at is not null`;
  const [account] = await tx<Account[]>`
    select (limits #>> '{perKey,concurrency}')::int as slots, (limits #>> '{perKey,rate,limit}')::int as rate_limit,
      (limits #>> '{perKey,rate,perMs}')::float8 as per_ms,
      (select count(*)::int from jobs where queue = ${queue} and limit_key = ${limitKey}
        and (status = 'running' or (${tx.unsafe(READY)}))) as taken,
      coalesce((select greatest(extract(epoch from arrival_at - clock_timestamp()) * 1000, 0)::float8
        from limit_keys where limit_keys.queue = ${queue} and key = ${limitKey}), 0) as ahead_ms
    from queues where name = ${queue}`;
  if (!account) return;
  const { slots, rate_limit: rateLimit, per_ms: perMs, taken, ahead_ms: aheadMs } = account;
  const intervalMs = rateLimit !== null && perMs !== null ? perMs / rateLimit : null;
  const free = slots === null ? Number.MAX_SAFE_INTEGER : slots - taken;
  const allowed = intervalMs === null || perMs === null ? free : Math.floor((perMs - aheadMs) / intervalMs + 1e-6);
  const limit = Math.max(0, Math.min(free, allowed, 10_000));
  const admitted =
    limit === 0
      ? []
      : await tx`
    update jobs set hold = null where id in (
      select id from jobs where queue = ${queue} and limit_key = ${limitKey} and status = 'queued' and hold = 'limit'
      order by priority desc, seq limit ${limit}
    ) returning id`;
  if (admitted.length > 0) await notifyReady(tx, queue);
  if (intervalMs === null || perMs === null) return;
  // The clock admits jobs that the rate holds back; the next end of a job admits jobs that wait for a slot.
  const newAheadMs = aheadMs + admitted.length * intervalMs;
  const waitMs = allowed <= free ? Math.max(0, newAheadMs + intervalMs - perMs) : null;
  await tx`
    insert into limit_keys (queue, key, arrival_at, admit_at)
    values (${queue}, ${limitKey}, clock_timestamp() + make_interval(secs => ${newAheadMs / 1000}::float8),
      case when ${waitMs !== null} and exists (
        select 1 from jobs where queue = ${queue} and limit_key = ${limitKey} and status = 'queued' and hold = 'limit'
      ) then clock_timestamp() + make_interval(secs => ${(waitMs ?? 0) / 1000}::float8) end)
    on conflict (queue, key) do update set arrival_at = excluded.arrival_at, admit_at = least(limit_keys.admit_at, excluded.admit_at)`;
}

/** Requests admission for keys that cannot be locked now; a worker's maintenance admits them. Wakes a worker. */
export async function admitSoon(sql: Executor, keys: readonly LimitedKey[]): Promise<void> {
  const rows = distinctKeys(keys);
  if (rows.length === 0) return;
  await sql`
    insert into limit_keys (queue, key, admit_at)
    select queue, key, clock_timestamp() from unnest(${rows.map((row) => row.queue)}::text[], ${rows.map((row) => row.limitKey)}::text[]) as due (queue, key)
    order by queue, key
    on conflict (queue, key) do update set admit_at = least(limit_keys.admit_at, excluded.admit_at)`;
  for (const queue of new Set(rows.map((row) => row.queue))) await notifyReady(sql, queue);
}

/** The limited keys whose admission is due, at most 100. */
export async function findDueKeys(sql: Executor): Promise<LimitedKey[]> {
  return sql<(LimitedKey & { limitKey: string })[]>`
    select queue, key as "limitKey" from limit_keys where admit_at <= statement_timestamp() order by admit_at limit 100`;
}

/** Locks a due key and admits its jobs. Give it its own transaction. */
export async function admitDueKey(tx: Tx, key: LimitedKey): Promise<void> {
  await lockLimit(tx, key);
  await admit(tx, key);
}
