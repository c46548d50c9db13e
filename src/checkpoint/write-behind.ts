import { faultPoint } from "#fault";
import { extendLayout, layoutOf } from "./stored-values.ts";
import type { ListLayout, StoredValue } from "./stored-values.ts";
import type { StoredCheckpoint } from "./read-rows.ts";
import type { BlobRow, CheckpointRow, RowKey, Rows, WriteRow } from "./write-rows.ts";

/** A checkpoint to store, with its new channel values. */
export interface NewCheckpoint {
  row: CheckpointRow;
  values: (StoredValue & { channel: string; version: string })[];
}

interface Batch {
  checkpoints: Promise<NewCheckpoint>[];
  writes: Promise<WriteRow[]>[];
  done: Promise<void>;
  settle: (error?: unknown) => void;
}

/** How long a write waits for others to share its statement, in milliseconds. A crash in that time loses a task's writes. */
const GATHER_MS = 20;
/** The same for writes before the first node has ended, in milliseconds: their loss in a crash costs nothing. */
const START_GATHER_MS = 250;

export interface WriteBehindOptions {
  send: (rows: Rows) => Promise<void>;
  /**
   * True resolves the promise of a step's write when the write is durable. False resolves it when the write is queued, and
   * omits the writes of tasks whose next checkpoint goes out in the same statement. A user's graph needs those writes:
   * LangGraph rebuilds a `DeltaChannel` from the writes of earlier checkpoints.
   */
  waits: boolean;
}

/**
 * Gathers the writes of a step into one statement. Statements go out one at a time, in the order of the writes. After one
 * has failed, none follows, because later rows refer to earlier ones.
 */
export class WriteBehind {
  readonly #options: WriteBehindOptions;
  readonly #layouts = new Map<string, () => ListLayout>();
  #batch: Batch | null = null;
  #timer: NodeJS.Timeout | undefined;
  #gatherMs = 0;
  #sending: Promise<void> | null = null;
  #broken: { error: unknown } | null = null;

  constructor(options: WriteBehindOptions) {
    this.#options = options;
  }

  /** Adds the writes of a task. They go out with the checkpoint that ends the step, or 20 ms later. */
  async addWrites(writes: Promise<WriteRow[]>, { starts }: { starts: boolean }): Promise<void> {
    this.check();
    const batch = this.#open(starts ? START_GATHER_MS : GATHER_MS);
    batch.writes.push(writes);
    await (starts || !this.#options.waits ? writes : batch.done);
  }

  /**
   * Adds a checkpoint. If the run waits, a checkpoint that ends a step goes out at once. Those at the start of a run go out
   * with later writes: no node has run yet, and the next attempt has the same input.
   */
  async addCheckpoint(checkpoint: Promise<NewCheckpoint>, { starts }: { starts: boolean }): Promise<void> {
    this.check();
    const batch = this.#open(starts ? START_GATHER_MS : GATHER_MS);
    batch.checkpoints.push(checkpoint);
    if (starts || !this.#options.waits) {
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
   * Waits for the statement in flight and takes the remaining rows, for a transaction of the caller.
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

  /** Remembers the rows of a stored checkpoint's lists: the lists' next versions are based on them. */
  learnLists(stored: StoredCheckpoint): void {
    for (const [channel, rows] of stored.blobs) {
      if (rows[0]?.type !== "json" || !rows[0].value.startsWith("[")) continue;
      let layout: ListLayout | undefined;
      this.#layouts.set(keyWithin(stored, channel), () => (layout ??= layoutOf(rows)));
    }
  }

  #open(gatherMs: number): Batch {
    if (this.#batch) {
      if (gatherMs < this.#gatherMs) this.#wait(gatherMs);
      return this.#batch;
    }
    let settle: Batch["settle"] = () => undefined;
    const done = new Promise<void>((resolve, reject) => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- rejects with the error of the write
      settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    done.catch(() => undefined);
    this.#batch = { checkpoints: [], writes: [], done, settle };
    this.#wait(gatherMs);
    return this.#batch;
  }

  #wait(gatherMs: number): void {
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
      () => batch.settle(),
      (error: unknown) => {
        this.#broken ??= { error };
        batch.settle(error);
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
      writes: this.#options.waits ? writes.flat() : withoutSuperseded(writes.flat(), checkpoints),
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

/** A task's writes serve only a run that resumes at their checkpoint; the next checkpoint has them in its values. */
function withoutSuperseded(writes: readonly WriteRow[], checkpoints: readonly NewCheckpoint[]): WriteRow[] {
  const superseded = new Set(checkpoints.map(({ row }) => keyWithin(row, row.parentId)));
  return writes.filter((row) => !superseded.has(keyWithin(row, row.checkpointId)));
}

/** The map key of a channel or a checkpoint of a namespace. */
function keyWithin({ threadId, ns }: RowKey, id: string | null): string {
  return JSON.stringify([threadId, ns, id]);
}
