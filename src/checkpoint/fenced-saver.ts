import type { RunnableConfig } from "@langchain/core/runnables";
import { BaseCheckpointSaver, WRITES_IDX_MAP, copyCheckpoint } from "@langchain/langgraph-checkpoint";
import type {
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointTuple,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import type postgres from "postgres";

/** The claim no longer holds, so the checkpoint was not written. Stop the run: another attempt has the job or will. */
export class ClaimLostError extends Error {
  override readonly name = "ClaimLostError";
}

export interface SaverOptions {
  /** Runs work on the present pool under a deadline. */
  call: <T>(work: (sql: postgres.Sql) => Promise<T>) => Promise<T>;
  /** The claim whose writes these are; null writes without a fence. */
  token: { jobId: string; attempt: number; workerId: string } | null;
}

interface CheckpointRow {
  thread_id: string;
  checkpoint_ns: string;
  checkpoint_id: string;
  parent_checkpoint_id: string | null;
  type: string;
  checkpoint: Uint8Array;
  metadata_type: string;
  metadata: Uint8Array;
}

/** Stores checkpoints over postgres.js; every write is conditional on the claim that owns the run. */
export class FencedSaver extends BaseCheckpointSaver {
  readonly #options: SaverOptions;

  constructor(options: SaverOptions) {
    super();
    this.#options = options;
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { threadId, ns, checkpointId } = readKey(config);
    const [row] = await this.#options.call(
      (sql) => sql<CheckpointRow[]>`
        select * from langgraph.checkpoints where thread_id = ${threadId} and checkpoint_ns = ${ns}
          ${checkpointId === undefined ? sql`` : sql`and checkpoint_id = ${checkpointId}`}
        order by checkpoint_id desc limit 1`,
    );
    return row && this.#toTuple(row);
  }

  async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpointId } = config.configurable ?? {};
    const before = options.before?.configurable?.["checkpoint_id"] as string | undefined;
    const rows = await this.#options.call(
      (sql) => sql<CheckpointRow[]>`
        select * from langgraph.checkpoints where true
          ${threadId === undefined ? sql`` : sql`and thread_id = ${threadId as string}`}
          ${ns === undefined ? sql`` : sql`and checkpoint_ns = ${ns as string}`}
          ${checkpointId === undefined ? sql`` : sql`and checkpoint_id = ${checkpointId as string}`}
          ${before === undefined ? sql`` : sql`and checkpoint_id < ${before}`}
        order by checkpoint_id desc`,
    );
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for (const row of rows) {
      if (left <= 0) return;
      const tuple = await this.#toTuple(row);
      const metadata = tuple.metadata as Record<string, unknown> | undefined;
      if (
        !Object.entries(options.filter ?? {}).every(
          ([key, value]) => JSON.stringify(metadata?.[key]) === JSON.stringify(value),
        )
      )
        continue;
      left -= 1;
      yield tuple;
    }
  }

  async put(config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata): Promise<RunnableConfig> {
    const { threadId, ns, checkpointId: parentId } = readKey(config);
    const runId = config.configurable?.["run_id"] as string | undefined;
    // With the run's id in the metadata the core sees that a retry is the same run, and resumes it.
    const kept = runId === undefined ? metadata : { ...metadata, run_id: runId };
    const [type, value] = await this.serde.dumpsTyped(copyCheckpoint(checkpoint));
    const [metadataType, metadataValue] = await this.serde.dumpsTyped(kept);
    await this.#write(
      (sql) => sql`
      with owner as (${this.#owner(sql)})
      insert into langgraph.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata_type, metadata)
      select ${threadId}, ${ns}, ${checkpoint.id}, ${parentId ?? null}, ${type}, ${Buffer.from(value)}, ${metadataType}, ${Buffer.from(metadataValue)} from owner
      on conflict (thread_id, checkpoint_ns, checkpoint_id) do update set
        type = excluded.type, checkpoint = excluded.checkpoint, metadata_type = excluded.metadata_type, metadata = excluded.metadata
      returning 1`,
    );
    return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpoint.id } };
  }

  async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const { threadId, ns, checkpointId } = readKey(config);
    if (checkpointId === undefined) throw new Error("checkpoint_id must be given with writes");
    if (writes.length === 0) return;
    const rows = await Promise.all(
      writes.map(async ([channel, value], index) => ({
        channel,
        idx: WRITES_IDX_MAP[channel] ?? index,
        dumped: await this.serde.dumpsTyped(value),
      })),
    );
    await this.#write(
      (sql) => sql`
      with owner as (${this.#owner(sql)})
      insert into langgraph.checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value)
      select ${threadId}, ${ns}, ${checkpointId}, ${taskId}, w.idx, w.channel, w.type, decode(w.value, 'base64')
      from owner, unnest(${rows.map((row) => row.idx)}::int[], ${rows.map((row) => row.channel)}::text[], ${rows.map((row) => row.dumped[0])}::text[],
        ${rows.map((row) => Buffer.from(row.dumped[1]).toString("base64"))}::text[]) as w (idx, channel, type, value)
      on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) do update set
        channel = excluded.channel, type = excluded.type, value = excluded.value
      returning 1`,
    );
  }

  async deleteThread(threadId: string): Promise<void> {
    await this.#options.call(
      async (sql) => sql`
      with writes as (delete from langgraph.checkpoint_writes where thread_id = ${threadId})
      delete from langgraph.checkpoints where thread_id = ${threadId}`,
    );
  }

  /** One row while the claim holds, none after; the lock keeps a reaper out until the write has committed. */
  #owner(sql: postgres.Sql): postgres.PendingQuery<postgres.Row[]> {
    const { token } = this.#options;
    if (token === null) return sql`select 1`;
    return sql`select 1 from jobs where id = ${token.jobId} and attempt = ${token.attempt} and worker_id = ${token.workerId}
      and status = 'running' and lease_expires_at > clock_timestamp() for share`;
  }

  async #write(statement: (sql: postgres.Sql) => postgres.PendingQuery<postgres.Row[]>): Promise<void> {
    const rows = await this.#options.call(async (sql) => statement(sql));
    const { token } = this.#options;
    if (rows.length === 0)
      throw new ClaimLostError(`Attempt ${token?.attempt} of job ${token?.jobId} no longer holds its lease`);
  }

  async #toTuple(row: CheckpointRow): Promise<CheckpointTuple> {
    const key = { thread_id: row.thread_id, checkpoint_ns: row.checkpoint_ns };
    const writes = await this.#options.call(
      (sql) => sql<{ task_id: string; channel: string; type: string; value: Uint8Array }[]>`
        select task_id, channel, type, value from langgraph.checkpoint_writes
        where thread_id = ${row.thread_id} and checkpoint_ns = ${row.checkpoint_ns} and checkpoint_id = ${row.checkpoint_id} order by task_id, idx`,
    );
    return {
      config: { configurable: { ...key, checkpoint_id: row.checkpoint_id } },
      checkpoint: (await this.serde.loadsTyped(row.type, row.checkpoint)) as Checkpoint,
      metadata: (await this.serde.loadsTyped(row.metadata_type, row.metadata)) as CheckpointMetadata,
      pendingWrites: await Promise.all(
        writes.map(async (write): Promise<[string, string, unknown]> => [
          write.task_id,
          write.channel,
          await this.serde.loadsTyped(write.type, write.value),
        ]),
      ),
      ...(row.parent_checkpoint_id !== null && {
        parentConfig: { configurable: { ...key, checkpoint_id: row.parent_checkpoint_id } },
      }),
    };
  }
}

function readKey(config: RunnableConfig): { threadId: string; ns: string; checkpointId: string | undefined } {
  const {
    thread_id: threadId,
    checkpoint_ns: ns,
    checkpoint_id: checkpointId,
  } = (config.configurable ?? {}) as Record<string, string | undefined>;
  if (threadId === undefined) throw new Error("configurable.thread_id must be given");
  return { threadId, ns: ns ?? "", checkpointId };
}
