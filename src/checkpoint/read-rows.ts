import type postgres from "postgres";
import type { StoredValue } from "./stored-values.ts";

/** A namespace of a thread: the graph itself or a subgraph. */
export interface NamespaceKey {
  threadId: string;
  ns: string;
}

export interface CheckpointKey extends NamespaceKey {
  checkpointId: string;
}

/** One stored row of a channel's value. With a base version, `value` holds only the items after the base row's. */
export interface StoredBlob extends StoredValue {
  version: string;
  baseVersion: string | null;
}

export interface StoredCheckpoint extends CheckpointKey {
  parentId: string | null;
  channelVersions: Record<string, number | string>;
  checkpoint: string;
  metadata: string;
  /** In the order in which the graph applies them. */
  writes: (StoredValue & { taskId: string; channel: string })[];
  /** By channel, the rows of its value, oldest first. A channel without a value is absent. */
  blobs: Map<string, StoredBlob[]>;
}

type Fragment = postgres.PendingQuery<postgres.Row[]>;

/** A checkpoint, a write or a blob; the query says which field each of the columns `a` to `n` holds. */
interface MixedRow {
  kind: "checkpoint" | "write" | "blob";
  thread_id: string;
  ns: string;
  a: string;
  b: string | null;
  c: string;
  d: string | null;
  e: string;
  n: number;
}

/** Reads checkpoints with their values and writes in one statement; `picked` selects rows of `langgraph.checkpoints`. */
export async function readCheckpoints(sql: postgres.Sql, picked: Fragment): Promise<StoredCheckpoint[]> {
  const rows = await sql<MixedRow[]>`
    with recursive picked as materialized (${picked}),
    chain as (
      select b.thread_id, b.checkpoint_ns, b.channel, b.version, b.base_version
      from picked p cross join lateral json_each_text(p.channel_versions) v
      join langgraph.checkpoint_blobs b
        on (b.thread_id, b.checkpoint_ns, b.channel, b.version) = (p.thread_id, p.checkpoint_ns, v.key, v.value)
      union
      select b.thread_id, b.checkpoint_ns, b.channel, b.version, b.base_version
      from chain c join langgraph.checkpoint_blobs b
        on (b.thread_id, b.checkpoint_ns, b.channel, b.version) = (c.thread_id, c.checkpoint_ns, c.channel, c.base_version)
    )
    select 'checkpoint' as kind, thread_id, checkpoint_ns as ns, checkpoint_id as a, parent_checkpoint_id as b,
      channel_versions::text as c, checkpoint as d, metadata as e, 0::int as n
    from picked
    union all
    select 'write', w.thread_id, w.checkpoint_ns, w.checkpoint_id, w.task_id, w.channel, w.type, w.value,
      row_number() over (order by w.task_path, w.task_id, w.idx)::int
    from picked p join langgraph.checkpoint_writes w using (thread_id, checkpoint_ns, checkpoint_id)
    union all
    select 'blob', b.thread_id, b.checkpoint_ns, b.channel, b.base_version, b.version, b.type, b.value, 0
    from chain join langgraph.checkpoint_blobs b using (thread_id, checkpoint_ns, channel, version)`;
  return assemble(rows);
}

function assemble(rows: readonly MixedRow[]): StoredCheckpoint[] {
  const blobs = new Map<string, StoredBlob>();
  const writes = new Map<string, MixedRow[]>();
  for (const row of rows) {
    const { a, b, c, d, e } = row;
    if (row.kind === "blob") blobs.set(mapKey(row, a, c), { version: c, baseVersion: b, type: d ?? "", value: e });
    if (row.kind === "write") {
      const present = writes.get(mapKey(row, a));
      if (present) present.push(row);
      else writes.set(mapKey(row, a), [row]);
    }
  }
  return rows
    .filter((row) => row.kind === "checkpoint")
    .map((row) => {
      const channelVersions = JSON.parse(row.c) as Record<string, number | string>;
      const find = (channel: string) => (version: string) => blobs.get(mapKey(row, channel, version));
      return {
        threadId: row.thread_id,
        ns: row.ns,
        checkpointId: row.a,
        parentId: row.b,
        channelVersions,
        checkpoint: row.d ?? "",
        metadata: row.e,
        writes: (writes.get(mapKey(row, row.a)) ?? [])
          .toSorted((one, other) => one.n - other.n)
          .map((write) => ({ taskId: write.b ?? "", channel: write.c, type: write.d ?? "", value: write.e })),
        blobs: new Map(
          Object.entries(channelVersions)
            .map(([channel, version]) => [channel, walkBack(find(channel), String(version))] as const)
            .filter(([, chain]) => chain.length > 0),
        ),
      };
    })
    .toSorted((one, other) =>
      one.checkpointId < other.checkpointId ? 1 : one.checkpointId > other.checkpointId ? -1 : 0,
    );
}

/** The rows of a value, oldest first: from the row without a base to the given version. */
function walkBack(find: (version: string) => StoredBlob | undefined, version: string): StoredBlob[] {
  const chain: StoredBlob[] = [];
  for (let blob = find(version); blob; blob = blob.baseVersion === null ? undefined : find(blob.baseVersion))
    chain.push(blob);
  return chain.toReversed();
}

function mapKey(row: { thread_id: string; ns: string }, ...rest: string[]): string {
  return JSON.stringify([row.thread_id, row.ns, ...rest]);
}
