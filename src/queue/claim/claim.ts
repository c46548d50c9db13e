import type { Executor, Tx } from "#db";
import type { ClaimedJob } from "../claimed-job.ts";
import { CLAIM_NAMED, CLAIM_OPEN, takeLevel } from "./claim-level.ts";
import { claimLine } from "./claim-line.ts";
import type { Line, Taken } from "./claim-line.ts";
import type { PendingQuery, Row } from "postgres";
import { READY } from "../predicates.ts";

export interface ClaimOptions {
  workerId: string;
  /** The most jobs to take, at least 1. */
  limit: number;
  leaseMs: number;
  /** The owner that was served last, so that the next takes its turn; what `lastOwner` of the claim before said. */
  afterOwner?: string | undefined;
  /** The only line there was; what `line` of the claim before said. */
  line?: Line | undefined;
}

export interface Claimed {
  /** Higher priority first, then older first. */
  jobs: ClaimedJob[];
  /** Whether more was ready than was taken, as far as one can see without waiting for other claims. */
  more: boolean;
  /** Hand it to the next claim; the one before's where nothing was claimed. */
  lastOwner: string | undefined;
  /** The line that all ready jobs stand in but those of lower priority; undefined where there are several. Hand it on too. */
  line: Line | undefined;
  /** Whether it committed without a flush, so that `flushClaims` has to follow. */
  unflushed: boolean;
}

/**
 * Takes ready jobs that no other worker holds: higher priority first; within a priority the owners in turn, so that a
 * flood of one does not keep the others waiting; each owner's older first. Empty when none is ready.
 * Safe to send again: a claim whose answer was lost is found by `releaseOrphans`, or by `reap` when its lease expires.
 * Commits without waiting for the disk, so that it must be all that its transaction does, and `flushClaims` follows.
 */
export async function claim(sql: Executor, options: ClaimOptions): Promise<Claimed> {
  const { line } = options;
  return claimOn(sql, options, line && (await claimLine(sql, options, line)));
}

/** Goes on claiming after what was taken from the line that `options` name. */
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
    // One statement takes from one priority: where that gave all it had, the next goes on below it.
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
   * Leaves out the queues whose first job has a lower priority than what queues without a limit have ready (`lower`), or
   * no higher one (`equal`), so that these get their turn; none unless given.
   */
  yields?: "lower" | "equal" | undefined;
}

/**
 * Takes jobs of the queues that have a limit of running jobs, within it; of the queue with the highest priority first.
 * The queues stay locked until the transaction ends, so that two workers cannot both take the last place. `more` is true
 * as well where ready jobs wait for the place of a running one.
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
    // A statement of its own: counted under the lock, with what was committed before it.
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
  /** The highest priority that it has ready. */
  priority: number;
  /** The highest priority that the queues without a limit have ready; null when nothing is. */
  rival: number | null;
}

/** Locks the limited queues that have ready jobs, in one order for all; by priority, those of the same one by lot. */
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
