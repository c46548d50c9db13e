import { mayNotifyWithin, send, UNFLUSHED } from "#db";
import type { Executor } from "#db";
import { READY_CHANNEL } from "../events/notices.ts";
import type { Entry } from "../new-job.ts";
import { NEXT_HOLD } from "../ready/ready.ts";
import { DEFAULT_MAX_CRASHES, DEFAULT_MAX_RETRIES } from "#shared/limits";
import { UNFINISHED } from "../predicates.ts";

/** The columns of a stored job, with their types and values; JSON and times are sent as text. */
interface Column {
  name: string;
  type: "uuid" | "text" | "int" | "float8" | "jsonb" | "timestamptz";
  of: (entry: Entry, unfinished: ReadonlySet<string>) => string | number | null | undefined;
}

const json = (value: unknown) => (value === undefined || value === null ? null : JSON.stringify(value));
const COLUMNS: readonly Column[] = [
  { name: "id", type: "uuid", of: (entry) => entry.jobId },
  { name: "owner_id", type: "text", of: (entry) => entry.ownerId },
  { name: "decision_set_id", type: "uuid", of: (entry) => entry.decisionSetId },
  { name: "thread_id", type: "uuid", of: (entry) => entry.threadId },
  { name: "job_type", type: "text", of: (entry) => entry.jobType },
  { name: "queue", type: "text", of: (entry) => entry.queue },
  { name: "priority", type: "int", of: (entry) => entry.priority ?? 0 },
  { name: "payload", type: "jsonb", of: (entry) => entry.payloadJson },
  { name: "max_retries", type: "int", of: (entry) => entry.maxRetries ?? DEFAULT_MAX_RETRIES },
  { name: "max_crashes", type: "int", of: (entry) => entry.maxCrashes ?? DEFAULT_MAX_CRASHES },
  { name: "idempotency_key", type: "text", of: (entry) => entry.idempotencyKey },
  { name: "request_hash", type: "text", of: (entry) => entry.requestHash },
  { name: "unique_key", type: "text", of: (entry) => entry.uniqueKey },
  { name: "limit_key", type: "text", of: (entry) => entry.limitKey },
  { name: "timeout_ms", type: "int", of: (entry) => entry.timeoutMs },
  { name: "budget", type: "jsonb", of: (entry) => json(entry.budget) },
  { name: "delay_ms", type: "float8", of: (entry) => entry.delayMs ?? 0 },
  { name: "due_at", type: "timestamptz", of: (entry) => entry.runAt },
  {
    name: "pending_dependencies",
    type: "int",
    of: ({ after }, unfinished) => (after ? new Set(after.filter((id) => unfinished.has(id))).size : 0),
  },
  { name: "on_dependency_failure", type: "text", of: (entry) => entry.onDependencyFailure ?? "fail" },
  { name: "trace_context", type: "jsonb", of: (entry) => json(entry.traceContext) },
  { name: "schedule_id", type: "uuid", of: (entry) => entry.scheduleId },
  { name: "scheduled_for", type: "timestamptz", of: (entry) => entry.scheduledFor },
];

export interface Inserted {
  /** The ids of the stored jobs; null when all were stored. */
  ids: ReadonlySet<string> | null;
  /** The queues whose workers the caller must wake. */
  queues: string[];
  /** True when it committed without a flush: call `flushStored` before the answer to the submitter. */
  unflushed: boolean;
}

interface Insertion {
  /** Ids of the unfinished jobs that the entries depend on. */
  unfinished: ReadonlySet<string>;
  givenIds: boolean;
  /** True when the statement is the whole transaction. */
  isWholeTransaction: boolean;
}

/** Inserts the jobs in their order, and queues that are new, in one statement. A job whose key or id is taken is left out. */
export async function insertJobs(
  sql: Executor,
  entries: readonly Entry[],
  { unfinished, givenIds, isWholeTransaction }: Insertion,
): Promise<Inserted> {
  const queues = [...new Set(entries.map((entry) => entry.queue))];
  const { lists, values } = readColumns(entries, unfinished);
  const hasThreads = entries.some((entry) => (entry.threadId ?? null) !== null);
  if (givenIds || entries.some(isKeyed)) {
    const notifies = mayNotifyWithin(sql);
    const text = textOf({ lists, hasThreads, ends: notifies ? "returning and notifying" : "returning" });
    const channel = notifies ? [READY_CHANNEL] : [];
    const added = await send<AddedRow[]>(sql, { text, values: [queues, ...values, ...channel] });
    const awaited = notifies ? [] : added.filter((row) => row.is_awaited);
    return {
      ids: new Set(added.map((row) => row.id)),
      queues: [...new Set(awaited.map((row) => row.queue))],
      unflushed: false,
    };
  }
  const awaited = [...new Set(entries.filter((entry) => isAwaited(entry, unfinished)).map((entry) => entry.queue))];
  if (awaited.length > 0 && mayNotifyWithin(sql)) {
    const text = textOf({ lists, hasThreads, ends: isWholeTransaction ? "notifying unflushed" : "notifying" });
    await send(sql, { text, values: [queues, ...values, READY_CHANNEL, awaited] });
    return { ids: null, queues: [], unflushed: isWholeTransaction };
  }
  await send(sql, { text: textOf({ lists, hasThreads, ends: "silent" }), values: [queues, ...values] });
  return { ids: null, queues: awaited, unflushed: false };
}

interface AddedRow {
  id: string;
  queue: string;
  is_awaited: boolean;
}

/** True when workers must wake for a job without dependencies: it is ready, or held for a time. */
function isAwaited({ after, limitKey, delayMs, runAt }: Entry, unfinished: ReadonlySet<string>): boolean {
  if (after?.some((id) => unfinished.has(id))) return false;
  return (limitKey ?? null) === null || (delayMs ?? runAt ?? null) !== null;
}

/** True when the job has a key or an id of the caller's, which may be taken. */
export function isKeyed({ threadId, idempotencyKey, uniqueKey, scheduleId }: Entry): boolean {
  return (threadId ?? idempotencyKey ?? uniqueKey ?? scheduleId ?? null) !== null;
}

/** The values of each column: one value when all jobs share it, else a list. */
function readColumns(entries: readonly Entry[], unfinished: ReadonlySet<string>) {
  const [first] = entries;
  const lists: boolean[] = [];
  const values: unknown[] = [];
  for (const { name, of } of COLUMNS) {
    const valueOf = (entry: Entry) => of(entry, unfinished) ?? null;
    const same = first ? valueOf(first) : null;
    const isList = name === "id" || entries.some((entry) => valueOf(entry) !== same);
    lists.push(isList);
    values.push(isList ? entries.map(valueOf) : same);
  }
  return { lists, values };
}

interface Shape {
  /** True for each column that is sent as a list. */
  lists: readonly boolean[];
  /** True when one of the jobs has a thread. */
  hasThreads: boolean;
  /** The end of the statement: it returns the stored jobs, notifies the workers, or both; `unflushed` skips the flush. */
  ends: "returning" | "returning and notifying" | "notifying" | "notifying unflushed" | "silent";
}

/** The statements by shape: building one takes longer than sending it. */
const texts = new Map<string, string>();
/** The most statements to keep, which is more than the shapes of an application. */
const MAX_TEXTS = 200;

function textOf(shape: Shape): string {
  const key = JSON.stringify(shape);
  let found = texts.get(key);
  if (found === undefined) {
    if (texts.size >= MAX_TEXTS) texts.clear();
    texts.set(key, (found = writeText(shape)));
  }
  return found;
}

/** The columns of `jobs` that are copied from the rows. */
const NAMES = COLUMNS.map((column) => column.name)
  .filter((name) => name !== "delay_ms" && name !== "due_at")
  .join(", ");

/** True when another job of the thread comes first, stored or in the batch. */
const BEHIND = `thread_id is not null and (
    row_number() over (partition by thread_id order by ord) > 1
    or exists (select 1 from jobs as head where head.thread_id = entry.thread_id and head.${UNFINISHED})
  )`;

/** Builds the statement. Its parameters: $1 the queues, then the columns, then the channel and the queues to notify. */
function writeText({ lists, hasThreads, ends }: Shape): string {
  const columns = COLUMNS.map(({ name, type }, index) => {
    const sent = type === "jsonb" || type === "timestamptz" ? "text" : type;
    const value = `$${index + 2}`;
    return lists[index]
      ? { name, read: `${name}::${type}`, list: `${value}::${sent}[]` }
      : { name, read: `${value}::${sent}::${type} as ${name}`, list: null };
  });
  const listed = columns.filter((column) => column.list !== null);
  const notify = `pg_notify($${columns.length + 2}, queue)`;
  const notified = `from unnest($${columns.length + 3}::text[]) as queue`;
  // Scheduled jobs wake the workers as well: one may be due before the next poll.
  const added = "select id, queue, hold is null or hold = 'time' as is_awaited from added";
  const endings = {
    returning: added,
    "returning and notifying": `, told as materialized (
      select ${notify} from (select distinct queue from (${added}) as added where is_awaited) as awaited
    ) ${added} where (select count(*) from told) >= 0`,
    notifying: `select ${notify} ${notified}`,
    "notifying unflushed": `select ${notify}, ${UNFLUSHED} ${notified}`,
    silent: "select 1",
  };
  return `
    with named as (
      insert into queues (name) select wanted.name from unnest($1::text[]) as wanted (name)
      where not exists (select 1 from queues where queues.name = wanted.name) on conflict do nothing
    ), added as (
      insert into jobs (${NAMES}, run_at, hold)
      select ${NAMES}, run_at, case when behind then 'thread'::job_hold else ${NEXT_HOLD} end
      from (
        select *, coalesce(due_at, clock_timestamp() + make_interval(secs => delay_ms / 1000)) as run_at,
          ${hasThreads ? BEHIND : "false"} as behind
        from (
          select ord, ${columns.map((column) => column.read).join(", ")}
          from unnest(${listed.map((column) => column.list).join(", ")}) with ordinality
            as list (${listed.map((column) => column.name).join(", ")}, ord)
        ) as entry
      ) as jobs
      order by ord ${ends.startsWith("returning") ? "on conflict do nothing returning id, queue, hold" : ""}
    )
    ${endings[ends]}`;
}
