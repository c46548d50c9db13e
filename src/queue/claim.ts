import type { PendingQuery, Row } from "postgres";
import text from "sql-template-tag";
import type { Sql } from "sql-template-tag";
import { send } from "#db";
import type { Executor, Tx } from "#db";
import type { Budget } from "#shared/usage";
import { claimLine } from "./claim-line.ts";
import type { Line, Taken } from "./claim-line.ts";
import { CLAIMED_COLUMNS, takePicked, toClaimedJob, UNFLUSHED } from "./claim-rows.ts";
import type { ClaimRow } from "./claim-rows.ts";

/** The right to run one job: `(jobId, attempt)` is the fencing token that every write on the job's behalf carries. */
export interface Claim {
  jobId: string;
  attempt: number;
  workerId: string;
  queue: string;
  /** Null for a job of no thread. */
  threadId: string | null;
  /** Null for a job that no limit per key counts. */
  limitKey: string | null;
}

export interface ClaimedJob extends Claim {
  ownerId: string;
  decisionSetId: string | null;
  jobType: string;
  priority: number;
  payload: unknown;
  retryCount: number;
  maxRetries: number;
  /** Null where the job type's own or the default timeout applies. */
  timeoutMs: number | null;
  /** How much of models all its attempts together may use; null without a bound. */
  budget: Budget | null;
  /** The number of the last event in the job's log; 0 when there is none. */
  eventSeq: number;
  /** How long it had been due when it was claimed, in milliseconds; null for a job without a trace context. */
  waitedMs: number | null;
  /** W3C trace context of the submitter; null when there was none. */
  traceContext: Record<string, string> | null;
}

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
    const level = await takeLevel(sql, { ...options, limit, afterOwner: claimed.lastOwner }, OPEN_QUEUES);
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
    const queue = text`select ${name}::text as name`;
    const { jobs, lastOwner, more, unflushed } = await takeLevel(
      tx,
      { ...options, limit, afterOwner: claimed.lastOwner },
      queue,
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
    select priority from jobs where queue = ${queue} and status = 'queued' and hold is null order by priority desc limit 1`;
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

/** The queues without a limit of running jobs. */
const OPEN_QUEUES = text`select name from queues where not paused and limits ->> 'concurrency' is null`;

/** How many times in a row a claim passes over owners whose jobs cannot be had. */
const MOST_SKIPS = 10;

/** Takes jobs of the highest priority, also where the owners whose turn it is have none that can be had. */
async function takeLevel(sql: Executor, options: ClaimOptions, queues: Sql): Promise<Claimed> {
  let { afterOwner } = options;
  const skipped = new Set<string>();
  for (;;) {
    const { passed, ...level } = await claimLevel(sql, { ...options, afterOwner }, queues);
    if (level.jobs.length > 0) return level;
    // All that they have is of a paused type, or in the hands of another claim: then it is the next ones' turn.
    if (passed === null || skipped.has(passed) || skipped.size === MOST_SKIPS)
      return { ...level, lastOwner: options.afterOwner };
    skipped.add(passed);
    afterOwner = passed;
  }
}

interface Level extends Claimed {
  /** The last of the owners whose turn it was, where there may be more; null when all were looked at. */
  passed: string | null;
}

/** Takes jobs of the highest priority that the given queues have ready. */
// oxlint-disable-next-line max-lines-per-function -- one statement, and its reasons beside it
async function claimLevel(sql: Executor, options: ClaimOptions, queues: Sql): Promise<Level> {
  const { workerId, limit, afterOwner = "" } = options;
  const ready = text`status = 'queued' and hold is null`;
  const statement = text`
    with recursive heads as materialized (
      select open.name as queue, head.priority from (${queues}) as open
      -- Every look into jobs is the start of one ordered index scan: what is finished, held or running is not in the index.
      cross join lateral (
        select priority from jobs where queue = open.name and ${ready} order by priority desc limit 1
      ) as head
    ), top as materialized (
      select queue, priority from heads where priority = (select max(priority) from heads)
    ), below as (
      -- The owners in turn, one step of the index for each: first those after the one served last, then the others. A
      -- step goes to the next (priority, owner) and ends the walk at a lower priority, for no other index has that order.
      select top.queue, top.priority, pair.owner_id, 1 as turn from top cross join lateral (
        select priority, owner_id from jobs
        where queue = top.queue and ${ready} and (priority, owner_id) < (top.priority, ${afterOwner}::text)
        order by priority desc, owner_id desc limit 1
      ) as pair
      where pair.priority = top.priority
      union all
      select below.queue, below.priority, pair.owner_id, below.turn + 1 from below cross join lateral (
        select priority, owner_id from jobs
        where queue = below.queue and ${ready} and (priority, owner_id) < (below.priority, below.owner_id)
        order by priority desc, owner_id desc limit 1
      ) as pair
      where below.turn < ${limit} and pair.priority = below.priority
    ), rest as (
      select top.queue, top.priority, pair.owner_id, 1 as turn from top cross join lateral (
        select priority, owner_id from jobs where queue = top.queue and ${ready} and priority <= top.priority
        order by priority desc, owner_id desc limit 1
      ) as pair
      where pair.priority = top.priority and pair.owner_id >= ${afterOwner}
      union all
      select rest.queue, rest.priority, pair.owner_id, rest.turn + 1 from rest cross join lateral (
        select priority, owner_id from jobs
        where queue = rest.queue and ${ready} and (priority, owner_id) < (rest.priority, rest.owner_id)
        order by priority desc, owner_id desc limit 1
      ) as pair
      where rest.turn < ${limit} and pair.priority = rest.priority and pair.owner_id >= ${afterOwner}
    ), owners as materialized (
      select queue, priority, owner_id, row_number() over (order by part, turn) as turn, count(*) over () as owners
      from (select 1 as part, * from below union all select 2, * from rest) as turns
      order by part, turn limit ${limit}
    ), picked as materialized (
      select ready.id, owners.turn from owners cross join lateral (
        select id from jobs
        -- Equal, said so that the order below is only the claim index's to give.
        where queue = owners.queue and ${ready} and (priority, owner_id) <= (owners.priority, owners.owner_id)
          and (priority, owner_id) >= (owners.priority, owners.owner_id)
          -- coalesce: the planner takes the bare condition for one that hardly any row meets, and would sort them all.
          and coalesce(job_type <> all (array(select name from job_types where paused)), true)
        order by priority desc, owner_id desc, seq
        limit ceil(${limit}::float8 / least(owners.owners, ${limit}))::int
        for update skip locked
      ) as ready
      order by owners.turn
      limit ${limit}
    ), claimed as (${takePicked(options)})
    select more.more, more.sole, more.passed, ${CLAIMED_COLUMNS}
    from (
      select (select count(*) from owners) > 1 or (select count(distinct priority) from heads) > 1 or exists (
        select 1 from top cross join lateral (
          select 1 from jobs where queue = top.queue and ${ready} and priority < top.priority order by priority desc limit 1
        ) as lower
      ) or (select count(*) from picked) = ${limit} as more,
        (select count(*) from owners) = 1 and (select count(*) from heads) = 1 as sole,
        (select owner_id from owners where turn = ${limit}) as passed ${UNFLUSHED}
    ) as more left join claimed on true
    order by claimed.seq`;
  const rows = await send<LevelRow[]>(sql, statement);
  const found = rows.filter((row) => row.id !== null);
  const last = found.reduce<LevelRow | undefined>(
    (kept, row) => (kept && Number(kept.turn) >= Number(row.turn) ? kept : row),
    undefined,
  );
  return {
    jobs: found.map((row) => toClaimedJob(row, workerId)),
    more: rows[0]?.more ?? false,
    passed: rows[0]?.passed ?? null,
    lastOwner: last?.owner_id ?? options.afterOwner,
    unflushed: found.length > 0,
    line: last && rows[0]?.sole ? { queue: last.queue, priority: last.priority, ownerId: last.owner_id } : undefined,
  };
}

interface LevelRow extends ClaimRow {
  more: boolean;
  sole: boolean;
  passed: string | null;
  turn: string;
}
