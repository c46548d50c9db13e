import type { RunnableConfig } from "@langchain/core/runnables";
import type { CheckpointListOptions, SerializerProtocol } from "@langchain/langgraph-checkpoint";
import type postgres from "postgres";
import type { CheckpointKey } from "./read-rows.ts";
import { revive } from "./stored-values.ts";

const PAGE_ROWS = 50;

interface ListRequest {
  call: <T>(work: (sql: postgres.Sql) => Promise<T>) => Promise<T>;
  serde: SerializerProtocol;
  config: RunnableConfig;
  options: CheckpointListOptions;
}

/** Lists the keys of checkpoints, newest first, in pages: a long thread does not fit in memory. */
export async function* listKeys({ call, serde, config, options }: ListRequest): AsyncGenerator<CheckpointKey[]> {
  const { thread_id, checkpoint_ns, checkpoint_id } = (config.configurable ?? {}) as Record<string, string | undefined>;
  const before = options.before?.configurable?.["checkpoint_id"] as string | undefined;
  const filter = Object.entries(options.filter ?? {});
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let after: CheckpointKey | null = null;
  while (left > 0) {
    const size = filter.length > 0 ? PAGE_ROWS : Math.min(left, PAGE_ROWS);
    const last: CheckpointKey | null = after;
    const page: (CheckpointKey & { metadata: string })[] = await call(async (sql) =>
      readPage(sql, {
        after: last,
        size,
        where: sql`true
          ${thread_id === undefined ? sql`` : sql`and thread_id = ${thread_id}`}
          ${checkpoint_ns === undefined ? sql`` : sql`and checkpoint_ns = ${checkpoint_ns}`}
          ${checkpoint_id === undefined ? sql`` : sql`and checkpoint_id = ${checkpoint_id}`}
          ${before === undefined ? sql`` : sql`and checkpoint_id < ${before}`}`,
      }),
    );
    const matches: CheckpointKey[] = [];
    for (const { metadata, ...key } of page) {
      const found = (await revive(serde, { type: "json", value: metadata })) as Record<string, unknown>;
      if (filter.every(([name, value]) => JSON.stringify(found[name]) === JSON.stringify(value))) matches.push(key);
    }
    if (matches.length > 0) yield matches.slice(0, left);
    left -= matches.length;
    after = page.at(-1) ?? null;
    if (page.length < size) return;
  }
}

async function readPage(
  sql: postgres.Sql,
  { where, after, size }: { where: postgres.PendingQuery<postgres.Row[]>; after: CheckpointKey | null; size: number },
): Promise<(CheckpointKey & { metadata: string })[]> {
  const rows = await sql<{ thread_id: string; checkpoint_ns: string; checkpoint_id: string; metadata: string }[]>`
    select thread_id, checkpoint_ns, checkpoint_id, metadata from langgraph.checkpoints
    where ${where}
      ${after === null ? sql`` : sql`and (checkpoint_id, thread_id, checkpoint_ns) < (${after.checkpointId}, ${after.threadId}, ${after.ns})`}
    order by checkpoint_id desc, thread_id desc, checkpoint_ns desc limit ${size}`;
  return rows.map((row) => ({
    threadId: row.thread_id,
    ns: row.checkpoint_ns,
    checkpointId: row.checkpoint_id,
    metadata: row.metadata,
  }));
}
