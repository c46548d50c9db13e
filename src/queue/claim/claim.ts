import type { Executor, Tx } from "#db";
import { CLAIM_NAMED, CLAIM_OPEN, takeLevel } from "./claim-level.ts";
import { claimLine } from "./claim-line.ts";
import type { Taken } from "./claim-line.ts";
import type { Claimed, ClaimOptions } from "./claim-rows.ts";
import type { PendingQuery, Row } from "postgres";
import { READY } from "../predicates.ts";

/**
 * Takes ready jobs that no other worker holds: higher priority first, then owners in turn, then older first. A flood of
 * one owner's jobs does not delay the others. Empty when none is ready. Safe to send again: `releaseOrphans` finds a claim
 * whose answer was lost, or `reap` does after its lease. Commits without a flush: give it a transaction of its own, and
 * call `flushClaims`.
 */
export async function claim(sql: Executor, options: ClaimOptions): Promise<Claimed> {
  const { line } = options;
  return claimOn(sql, options, line && (await claimLine(sql, options, line)));
}

/** Continues a claim after `first` was taken from the line in `options`. */
export async function claimOn(sql: Executor, options: ClaimOptions, first: Taken | undefined): Promise<Claimed> {
  const claimed: Claimed = {
    jobs: first?.jobs ?? [],
    more: first?.more ?? true,
    lastOwner: options.afterOwner,
    line: undefined,
    unflushed: first?.unflushed ?? false,
  };
  if (options.line && claimed.jobs.length > 0) {
    claimed.line = options.line;
    claimed.lastOwner = options.line.ownerId;
  }
  while (claimed.more && claimed.jobs.length < options.limit) {
    const limit = options.limit - claimed.jobs.length;
    // One statement takes from one priority. When that priority is exhausted, the next statement takes from a lower one.
    const level = await takeLevel(sql, { ...options, limit, afterOwner: claimed.lastOwner }, CLAIM_OPEN);
    claimed.jobs.push(...level.jobs);
    claimed.more = level.more;
    claimed.lastOwner = level.lastOwner;
    claimed.line = level.line;
    claimed.unflushed ||= level.unflushed;
    if (level.jobs.length === 0) break;
  }
  return claimed;
}

export interface LimitedClaimOptions extends ClaimOptions {
  /**
   * Skips a limited queue whose first job's priority is below (`lower`) or not above (`equal`) the highest ready priority
   * of the other queues. Skips none unless given.
   */
  yields?: "lower" | "equal" | undefined;
}

/**
 * Takes jobs of queues with a limit of running jobs, highest priority first. The queues stay locked until the transaction
 * ends: two workers cannot both take the last slot. `more` is also true when ready jobs wait for a slot.
 */
export async function claimLimited(tx: Tx, { yields, ...options }: LimitedClaimOptions): Promise<Claimed> {
  const claimed: Claimed = {
    jobs: [],
    more: false,
    lastOwner: options.afterOwner,
    line: undefined,
    unflushed: false,
  };
  for (const { name, places, priority, rival } of await lockLimitedQueues(tx)) {
    const behind = rival !== null && (priority < rival || (priority === rival && yields === "equal"));
    if (yields !== undefined && behind) {
      claimed.more = true;
      continue;
    }
    // Counted by its own statement, after the lock: its snapshot contains all earlier claims.
    const [running] = await tx<{ count: number }[]>`
      select count(*)::int as count from jobs where status = 'running' and queue = ${name}`;
    const limit = Math.min(places - (running?.count ?? 0), options.limit - claimed.jobs.length);
    claimed.more ||= limit < 1;
    if (limit < 1) continue;
    const level = { text: CLAIM_NAMED, values: [name] };
    const { jobs, lastOwner, more, unflushed } = await takeLevel(
      tx,
      { ...options, limit, afterOwner: claimed.lastOwner },
      level,
    );
    claimed.jobs.push(...jobs);
    claimed.lastOwner = lastOwner;
    claimed.more ||= more;
    claimed.unflushed ||= unflushed;
  }
  return claimed;
}

interface LimitedQueue {
  name: string;
  places: number;
  /** The highest priority of its ready jobs. */
  priority: number;
  /** The highest priority of the ready jobs of queues without a limit; null without any. */
  rival: number | null;
}

/** Locks the limited queues with ready jobs, by name. Returns them by priority, and in random order among equals. */
async function lockLimitedQueues(tx: Tx): Promise<LimitedQueue[]> {
  const head = (queue: PendingQuery<Row[]>) => tx`
    select priority from jobs where queue = ${queue} and ${tx.unsafe(READY)} order by priority desc limit 1`;
  const queues = await tx<(LimitedQueue & { lot: number })[]>`
    select name, (limits ->> 'concurrency')::int as places, head.priority, rival.priority as rival, random() as lot
    from queues cross join lateral (${head(tx`queues.name`)}) as head cross join (
      select max(head.priority) as priority from queues as open cross join lateral (${head(tx`open.name`)}) as head
      where not open.paused and open.limits ->> 'concurrency' is null
    ) as rival
    where not paused and limits ->> 'concurrency' is not null
    order by name for update of queues`;
  return queues.toSorted((one, other) => other.priority - one.priority || one.lot - other.lot);
}
