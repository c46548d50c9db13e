import { faultPoint } from "#fault";
import { extendLayout, layoutOf } from "./stored-values.ts";
import type { ListLayout, StoredValue } from "./stored-values.ts";
import type { NamespaceKey, StoredCheckpoint } from "./read-rows.ts";
import type { BlobRow, CheckpointRow, Rows, WriteRow } from "./write-rows.ts";

/** A checkpoint to store, with its new channel values. */
export interface NewCheckpoint {
  row: CheckpointRow;
  values: (StoredValue & { channel: string; version: string })[];
}

interface Batch {
  checkpoints: Promise<NewCheckpoint>[];
  writes: Promise<WriteRow[]>[];
  done: Promise<void>;
  finish: (error?: unknown) => void;
}

/** How long a task's writes wait for others to share their statement, in milliseconds. A crash meanwhile loses them. */
const GATHER_MS = 20;
/** The same for a graph's input, in milliseconds: no node has run, and the next attempt has the same input. */
const INPUT_GATHER_MS = 250;

export interface WriteBatcherOptions {
  send: (rows: Rows) => Promise<void>;
  /**
   * False resolves a step's write when it is durable, true when it is queued. True also omits a task's writes that share a
   * statement with the next checkpoint. A user's graph needs those: LangGraph rebuilds a `DeltaChannel` from them.
   */
  isWriteBehind: boolean;
}

/**
 * Gathers the writes of a step into one statement. Statements go out one at a time, in the order of the writes. None
 * follows a failed one, because later rows refer to earlier ones.
 */
export class WriteBatcher {
  readonly #options: WriteBatcherOptions;
  readonly #layouts = new Map<string, () => ListLayout>();
  #batch: Batch | null = null;
  #timer: NodeJS.Timeout | undefined;
  #gatherMs = 0;
  #sending: Promise<void> | null = null;
  #broken: { error: unknown } | null = null;

  constructor(options: WriteBatcherOptions) {
    this.#options = options;
  }

  /** Adds the writes of a task. They go out with the checkpoint that ends the step, at the latest after the gather time. */
  async addWrites(writes: Promise<WriteRow[]>, { isInput }: { isInput: boolean }): Promise<void> {
    this.check();
    const batch = this.#open(isInput ? INPUT_GATHER_MS : GATHER_MS);
    batch.writes.push(writes);
    await (isInput || this.#options.isWriteBehind ? writes : batch.done);
  }

  /** Adds a checkpoint. It goes out at once, except in write-behind mode and for a graph's input. */
  async addCheckpoint(checkpoint: Promise<NewCheckpoint>, { isInput }: { isInput: boolean }): Promise<void> {
    this.check();
    const batch = this.#open(isInput ? INPUT_GATHER_MS : GATHER_MS);
    batch.checkpoints.push(checkpoint);
    if (isInput || this.#options.isWriteBehind) {
      await checkpoint;
      return;
    }
    void this.#flush();
    await batch.done;
  }

  /** @throws the error of the first failed write. */
  check(): void {
    if (this.#broken) throw this.#broken.error;
  }

  /** Resolves when each write so far is durable or has failed. */
  async drain(): Promise<void> {
    while (this.#batch || this.#sending) await this.#flush();
  }

  /**
   * Waits for the statement in flight and takes the remaining rows, for the caller's transaction.
   * @throws the error of the first failed write.
   */
  async takeRest(): Promise<Rows> {
    while (this.#sending) await this.#sending;
    this.check();
    const batch = this.#batch;
    if (!batch) return { checkpoints: [], blobs: [], writes: [] };
    clearTimeout(this.#timer);
    this.#batch = null;
    return this.#rowsOf(batch);
  }

  /** Remembers how a checkpoint's lists are stored: their next versions add rows to these. */
  learnLists(stored: StoredCheckpoint): void {
    for (const [channel, rows] of stored.blobs) {
      if (rows[0]?.type !== "json" || !rows[0].value.startsWith("[")) continue;
      let layout: ListLayout | undefined;
      this.#layouts.set(keyWithin(stored, channel), () => (layout ??= layoutOf(rows)));
    }
  }

  #open(gatherMs: number): Batch {
    if (this.#batch) {
      if (gatherMs < this.#gatherMs) this.#schedule(gatherMs);
      return this.#batch;
    }
    let finish: Batch["finish"] = () => undefined;
    const done = new Promise<void>((resolve, reject) => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- rejects with the error of the write
      finish = (error) => (error === undefined ? resolve() : reject(error));
    });
    done.catch(() => undefined);
    this.#batch = { checkpoints: [], writes: [], done, finish };
    this.#schedule(gatherMs);
    return this.#batch;
  }

  #schedule(gatherMs: number): void {
    clearTimeout(this.#timer);
    this.#gatherMs = gatherMs;
    this.#timer = setTimeout(() => void this.#flush(), gatherMs);
  }

  async #flush(): Promise<void> {
    while (this.#sending) await this.#sending;
    const batch = this.#batch;
    if (!batch) return;
    clearTimeout(this.#timer);
    this.#batch = null;
    this.#sending = this.#write(batch).then(
      () => batch.finish(),
      (error: unknown) => {
        this.#broken ??= { error };
        batch.finish(error);
      },
    );
    await this.#sending;
    this.#sending = null;
  }

  async #write(batch: Batch): Promise<void> {
    const rows = await this.#rowsOf(batch);
    this.check();
    faultPoint("before a checkpoint");
    await this.#options.send(rows);
    faultPoint("checkpoint written");
  }

  async #rowsOf(batch: Batch): Promise<Rows> {
    const [checkpoints, writes] = await Promise.all([Promise.all(batch.checkpoints), Promise.all(batch.writes)]);
    return {
      checkpoints: checkpoints.map(({ row }) => row),
      blobs: checkpoints.flatMap(({ row, values }) => values.map((value) => this.#toBlob(row, value))),
      writes: this.#options.isWriteBehind ? withoutSuperseded(writes.flat(), checkpoints) : writes.flat(),
    };
  }

  #toBlob(
    { threadId, ns }: CheckpointRow,
    { channel, version, type, value }: NewCheckpoint["values"][number],
  ): BlobRow {
    const row = { threadId, ns, channel, version, type };
    if (type !== "json" || !value.startsWith("[")) return { ...row, baseVersion: null, value };
    const before = this.#layouts.get(keyWithin(row, channel));
    const { layout, ...stored } = extendLayout(before?.(), version, value);
    this.#layouts.set(keyWithin(row, channel), () => layout);
    return { ...row, ...stored };
  }
}

/** Drops writes whose next checkpoint is in the batch: its values contain them, and no run resumes before it. */
function withoutSuperseded(writes: readonly WriteRow[], checkpoints: readonly NewCheckpoint[]): WriteRow[] {
  const superseded = new Set(checkpoints.map(({ row }) => keyWithin(row, row.parentId)));
  return writes.filter((row) => !superseded.has(keyWithin(row, row.checkpointId)));
}

/** The map key of a channel or a checkpoint in a namespace. */
function keyWithin({ threadId, ns }: NamespaceKey, id: string | null): string {
  return JSON.stringify([threadId, ns, id]);
}
