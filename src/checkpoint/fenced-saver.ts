import type { RunnableConfig } from "@langchain/core/runnables";
import { BaseCheckpointSaver, WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointTuple,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import type postgres from "postgres";
import { listKeys } from "./list-keys.ts";
import { readCheckpoints } from "./read-rows.ts";
import type { CheckpointKey, StoredCheckpoint } from "./read-rows.ts";
import { dump } from "./stored-values.ts";
import { addPendingSends, toTuple } from "./to-tuple.ts";
import { WriteBatcher } from "./write-batcher.ts";
import type { NewCheckpoint } from "./write-batcher.ts";
import { deleteRows, writeRows } from "./write-rows.ts";
import type { Fence, WriteRow } from "./write-rows.ts";

export interface SaverOptions {
  /** Runs work on a connection pool under a deadline; the saver's work is safe to send again. */
  call: <T>(work: (sql: postgres.Sql) => Promise<T>) => Promise<T>;
  /** The claim that owns the run; null writes without a fence. */
  fence: Fence | null;
  /**
   * True lets a step start before the previous one is stored. Use it only for a graph whose steps have no effects outside
   * it: a crash can lose two steps. Call `flush` at the end of the run.
   */
  isWriteBehind?: boolean | undefined;
  /** True when the thread has no checkpoint yet: the saver then reads none. */
  isFresh?: boolean | undefined;
}

const VERSION_FRACTIONS = 1e12;
/** How the path of the task that only writes a graph's input ends. */
const START_PATH = ", __start__";

/**
 * Stores checkpoints over postgres.js. Make one saver for each claim: its fence guards every write. A step's write
 * resolves when it is durable, except in write-behind mode. After a failed write, all later writes fail.
 */
export class FencedSaver extends BaseCheckpointSaver {
  readonly #options: SaverOptions;
  readonly #batcher: WriteBatcher;
  #isFresh: boolean;
  #head: string | null = null;
  /** The ids of checkpoints that hold only a graph's input: no node has run yet. */
  readonly #inputs = new Set<string>();

  constructor(options: SaverOptions) {
    super();
    this.#options = options;
    this.#isFresh = options.isFresh === true;
    this.#batcher = new WriteBatcher({
      send: async (rows) => options.call(async (sql) => writeRows(sql, options.fence, rows)),
      isWriteBehind: options.isWriteBehind === true,
    });
  }

  /** The newest checkpoint that was read or written, not counting subgraphs; null before the first. */
  get head(): string | null {
    return this.#head;
  }

  /**
   * Resolves when all writes are durable.
   * @throws the error of the first failed write; no later write is stored.
   */
  async flush(): Promise<void> {
    await this.#batcher.drain();
    this.#batcher.check();
  }

  /**
   * Takes the unstored writes at a run's end. Call the returned function in the transaction that completes the job, after
   * `complete`, which checks the fence. Each retry of the transaction calls it again. Add no writes after this call.
   * @throws the error of the first failed write.
   */
  async takeRest(): Promise<(tx: postgres.ISql) => Promise<void>> {
    const rows = await this.#batcher.takeRest();
    return async (tx) => {
      if (rows.checkpoints.length > 0 || rows.writes.length > 0) await writeRows(tx, null, rows);
    };
  }

  /** The next whole number, plus a random fraction that keeps the versions of a thread's branches apart. */
  override getNextVersion(current: number | undefined): number {
    const version = Math.floor(current ?? 0) + 1;
    return version + Math.floor(Math.random() * VERSION_FRACTIONS) / VERSION_FRACTIONS;
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { threadId, ns, checkpointId } = keyOf(config);
    if (threadId === undefined || this.#isFresh) return undefined;
    await this.#batcher.drain();
    const [stored] = await this.#options.call(async (sql) =>
      readCheckpoints(
        sql,
        sql`select * from langgraph.checkpoints where thread_id = ${threadId} and checkpoint_ns = ${ns}
          ${checkpointId === undefined ? sql`` : sql`and checkpoint_id = ${checkpointId}`} order by seq desc limit 1`,
      ),
    );
    if (!stored) return undefined;
    if (ns === "" && checkpointId === undefined) this.#head = stored.checkpointId;
    this.#batcher.learnLists(stored);
    return this.#toTuple(stored);
  }

  async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    await this.#batcher.drain();
    for await (const keys of listKeys({ call: this.#options.call, serde: this.serde, config, options })) {
      for (const stored of await this.#read(keys)) yield this.#toTuple(stored);
    }
  }

  // oxlint-disable-next-line max-params -- the signature is LangGraph's
  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { threadId, ns, checkpointId: parentId } = keyOf(config);
    if (threadId === undefined) throw new Error("configurable.thread_id must be given");
    this.#isFresh = false;
    const runId = config.configurable?.["run_id"] as string | undefined;
    // LangGraph resumes a retry only if the metadata has the id of the same run.
    const kept = runId === undefined ? metadata : { ...metadata, run_id: runId };
    const { channel_values: values, channel_versions: versions, ...rest } = checkpoint;
    const changed = Object.entries(newVersions).filter(([channel]) => Object.hasOwn(values, channel));
    const row = { threadId, ns, checkpointId: checkpoint.id, parentId: parentId ?? null };
    const channelVersions = JSON.stringify(versions);
    const dumped = Promise.all([
      dump(this.serde, rest),
      dump(this.serde, kept),
      ...changed.map(async ([channel, version]) => ({
        channel,
        version: String(version),
        ...(await dump(this.serde, values[channel])),
      })),
    ]);
    const encoded = dumped.then(([body, meta, ...changedValues]): NewCheckpoint => ({
      row: { ...row, channelVersions, checkpoint: body.value, metadata: meta.value },
      values: changedValues,
    }));
    const isInput = metadata.source === "input" || (parentId !== undefined && this.#inputs.delete(parentId));
    await this.#batcher.addCheckpoint(encoded, { isInput });
    if (ns === "") this.#head = checkpoint.id;
    return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpoint.id } };
  }

  // oxlint-disable-next-line max-params -- the signature is LangGraph's
  async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string, taskPath = ""): Promise<void> {
    const { threadId, ns, checkpointId } = keyOf(config);
    if (threadId === undefined) throw new Error("configurable.thread_id must be given");
    if (checkpointId === undefined) throw new Error("configurable.checkpoint_id must be given with writes");
    if (writes.length === 0) return;
    this.#isFresh = false;
    const key = { threadId, ns, checkpointId, taskId, taskPath };
    const rows = writes.map(async ([channel, value], index): Promise<WriteRow> => {
      const idx = WRITES_IDX_MAP[channel] ?? index;
      return { ...key, idx, channel, ...(await dump(this.serde, value)) };
    });
    const isInput = taskPath.endsWith(START_PATH);
    if (isInput) this.#inputs.add(checkpointId);
    await this.#batcher.addWrites(Promise.all(rows), { isInput });
  }

  async deleteThread(threadId: string): Promise<void> {
    await this.#batcher.drain();
    await this.#options.call(async (sql) => deleteRows(sql, this.#options.fence, threadId));
  }

  async #read(keys: readonly CheckpointKey[]): Promise<StoredCheckpoint[]> {
    return this.#options.call(async (sql) =>
      readCheckpoints(
        sql,
        sql`select * from langgraph.checkpoints where (thread_id, checkpoint_ns, checkpoint_id) in (
          select * from unnest(${keys.map((key) => key.threadId)}::text[], ${keys.map((key) => key.ns)}::text[], ${keys.map((key) => key.checkpointId)}::text[]))`,
      ),
    );
  }

  async #toTuple(stored: StoredCheckpoint): Promise<CheckpointTuple> {
    const tuple = await toTuple(this.serde, stored);
    if (tuple.checkpoint.v >= 4 || stored.parentId === null) return tuple;
    const [parent] = await this.#read([{ ...stored, checkpointId: stored.parentId }]);
    return parent ? addPendingSends(this.serde, tuple, parent) : tuple;
  }
}

function keyOf(config: RunnableConfig): { threadId: string | undefined; ns: string; checkpointId: string | undefined } {
  const given = (config.configurable ?? {}) as Record<string, string | undefined>;
  return { threadId: given["thread_id"], ns: given["checkpoint_ns"] ?? "", checkpointId: given["checkpoint_id"] };
}
