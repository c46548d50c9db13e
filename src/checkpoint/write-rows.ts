import type postgres from "postgres";
import type { CheckpointKey, NamespaceKey, StoredBlob } from "./read-rows.ts";
import type { StoredValue } from "./stored-values.ts";

/** The claim that owns a run. */
export interface Fence {
  /** The condition on `jobs` under which a write takes effect. */
  holds: (sql: postgres.ISql) => postgres.PendingQuery<postgres.Row[]>;
  /** The error of a write whose condition was false; the write changed nothing. */
  lost: () => Error;
  /** Another write of the run for the saver's next statement; undefined when there is none. */
  piggyback?: (() => Piggyback | undefined) | undefined;
}

/** A write that shares a checkpoint's statement: both cost one commit and one check of the claim. */
export interface Piggyback {
  /** The CTEs that write it. The CTE `owner` checks the claim, and has a row when the write takes effect. */
  parts: (sql: postgres.ISql) => postgres.PendingQuery<postgres.Row[]>;
  /** Called after the statement; false when nothing was written. */
  settle: (isWritten: boolean) => void;
}

export interface CheckpointRow extends CheckpointKey {
  parentId: string | null;
  channelVersions: string;
  checkpoint: string;
  metadata: string;
}
export interface BlobRow extends NamespaceKey, StoredBlob {
  channel: string;
}
export interface WriteRow extends CheckpointKey, StoredValue {
  taskId: string;
  /** Negative for LangGraph's special writes: of equal keys the last write counts. Of other writes the first counts. */
  idx: number;
  taskPath: string;
  channel: string;
}
export interface Rows {
  checkpoints: readonly CheckpointRow[];
  blobs: readonly BlobRow[];
  writes: readonly WriteRow[];
}

/**
 * Writes all rows and the run's piggyback in one statement. Safe to send again.
 * @throws the fence's `lost` when the claim no longer holds: nothing was written, stop the run.
 */
export async function writeRows(sql: postgres.ISql, fence: Fence | null, rows: Rows): Promise<void> {
  const piggyback = fence?.piggyback?.();
  if (piggyback && (await writeWith(sql, piggyback, rows))) return;
  // The piggyback refuses a second write after a statement whose answer was lost: now check only the claim.
  const isWritten = await insertRows(sql, ownerPart(sql, fence), rows);
  if (!isWritten && fence) throw fence.lost();
}

async function writeWith(sql: postgres.ISql, piggyback: Piggyback, rows: Rows): Promise<boolean> {
  let isWritten = false;
  try {
    isWritten = await insertRows(sql, piggyback.parts(sql), rows);
  } finally {
    piggyback.settle(isWritten);
  }
  return isWritten;
}

/**
 * The CTE `owner`: one row while the claim holds, none afterwards. Its row lock blocks a reaper until the write commits.
 */
function ownerPart(sql: postgres.ISql, fence: Fence | null): postgres.PendingQuery<postgres.Row[]> {
  const row = fence === null ? sql`select 1` : sql`select 1 from jobs where ${fence.holds(sql)} for share`;
  return sql`owner as materialized (${row})`;
}

/** Inserts the rows if the CTE `owner` has a row, and returns true then. */
async function insertRows(
  sql: postgres.ISql,
  owner: postgres.PendingQuery<postgres.Row[]>,
  { checkpoints, blobs, writes: given }: Rows,
): Promise<boolean> {
  const writes = uniqueWrites(given);
  const column = <Row>(from: readonly Row[], name: keyof Row) => from.map((row) => row[name]) as (string | null)[];
  const found = await sql`
    with ${owner},
    blobs as (
      insert into langgraph.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, base_version, type, value)
      select b.* from owner, unnest(${column(blobs, "threadId")}::text[], ${column(blobs, "ns")}::text[], ${column(blobs, "channel")}::text[],
        ${column(blobs, "version")}::text[], ${column(blobs, "baseVersion")}::text[], ${column(blobs, "type")}::text[], ${column(blobs, "value")}::text[]) b
      on conflict do nothing
    ), writes as (
      insert into langgraph.checkpoint_writes as present (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, value)
      select w.* from owner, unnest(${column(writes, "threadId")}::text[], ${column(writes, "ns")}::text[], ${column(writes, "checkpointId")}::text[],
        ${column(writes, "taskId")}::text[], ${writes.map((row) => row.idx)}::int[], ${column(writes, "taskPath")}::text[],
        ${column(writes, "channel")}::text[], ${column(writes, "type")}::text[], ${column(writes, "value")}::text[]) w
      on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) do update set
        task_path = excluded.task_path, channel = excluded.channel, type = excluded.type, value = excluded.value
        where present.idx < 0
    ), checkpoints as (
      insert into langgraph.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, channel_versions, checkpoint, metadata)
      select c.thread_id, c.ns, c.id, c.parent_id, c.versions::json, c.checkpoint, c.metadata
      from owner, unnest(${column(checkpoints, "threadId")}::text[], ${column(checkpoints, "ns")}::text[], ${column(checkpoints, "checkpointId")}::text[],
        ${column(checkpoints, "parentId")}::text[], ${column(checkpoints, "channelVersions")}::text[], ${column(checkpoints, "checkpoint")}::text[],
        ${column(checkpoints, "metadata")}::text[]) c (thread_id, ns, id, parent_id, versions, checkpoint, metadata)
      on conflict (thread_id, checkpoint_ns, checkpoint_id) do update set
        channel_versions = excluded.channel_versions, checkpoint = excluded.checkpoint, metadata = excluded.metadata
    )
    select 1 from owner`;
  return found.length > 0;
}

/** Removes duplicates: PostgreSQL refuses an upsert that meets a row twice. */
function uniqueWrites(writes: readonly WriteRow[]): WriteRow[] {
  const unique = new Map<string, WriteRow>();
  for (const row of writes) {
    const key = JSON.stringify([row.threadId, row.ns, row.checkpointId, row.taskId, row.idx]);
    if (row.idx < 0 || !unique.has(key)) unique.set(key, row);
  }
  return [...unique.values()];
}

/**
 * Deletes a thread's rows in one statement.
 * @throws the fence's `lost` when the claim no longer holds: nothing was deleted, stop the run.
 */
export async function deleteRows(sql: postgres.ISql, fence: Fence | null, threadId: string): Promise<void> {
  const [owner] = await sql`
    with ${ownerPart(sql, fence)},
    writes as (delete from langgraph.checkpoint_writes using owner where thread_id = ${threadId}),
    blobs as (delete from langgraph.checkpoint_blobs using owner where thread_id = ${threadId}),
    checkpoints as (delete from langgraph.checkpoints using owner where thread_id = ${threadId})
    select 1 from owner`;
  if (!owner && fence) throw fence.lost();
}
