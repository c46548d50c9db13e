import { faultPoint } from "#fault";
import { extendLayout } from "./list-layout.ts";
import type { ListLayout } from "./list-layout.ts";
import type { StoredValue } from "./text-serde.ts";
import type { BlobRow, CheckpointRow, RowKey, Rows, WriteRow } from "./write-rows.ts";

/** A checkpoint that is being stored, with the channel values that are new in it. */
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

/** How long a write waits for others to share its statement, in milliseconds: what a crash can take of a step that is not over. */
const GATHER_MS = 20;
/** The same for what is written before the first node has ended: lost in a crash, it costs nothing. */
const START_GATHER_MS = 250;

export interface WriteBehindOptions {
  send: (rows: Rows) => Promise<void>;
  /**
   * Whether the promise of a step's write waits until it is durable; else it only waits until it is taken, and what the
   * step's tasks wrote is left out where the checkpoint that follows from it goes with it.
   */
  waits: boolean;
}

/**
 * Gathers the writes of a step into one statement. Statements go out one at a time in the order of the writes; after one
 * has failed none follows, for later rows refer to earlier ones.
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

  /** Adds the writes of a task; they go out with the checkpoint that ends the step, or by themselves a little later. */
  async addWrites(writes: Promise<WriteRow[]>, { starts }: { starts: boolean }): Promise<void> {
    this.check();
    const batch = this.#open(starts ? START_GATHER_MS : GATHER_MS);
    batch.writes.push(writes);
    await (starts || !this.#options.waits ? writes : batch.done);
  }

  /**
   * Adds a checkpoint. One that ends a step goes out at once, if the run waits for it. Those at the start of a run are
   * taken without waiting and go out with what follows them: no node has run yet, and the next attempt has the same input.
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

  /** @throws what the first write that failed threw. */
  check(): void {
    if (this.#broken) throw this.#broken.error;
  }

  /** Resolves when everything added so far is durable or has failed. */
  async drain(): Promise<void> {
    while (this.#batch || this.#sending) await this.#flush();
  }

  /**
   * What is not durable once all that is under way is, for a transaction of the caller's to write; nothing more may be added.
   * @throws what the first write that failed threw.
   */
  async rest(): Promise<Rows> {
    while (this.#sending) await this.#sending;
    this.check();
    const batch = this.#batch;
    if (!batch) return { checkpoints: [], blobs: [], writes: [] };
    clearTimeout(this.#timer);
    this.#batch = null;
    return this.#rowsOf(batch);
  }

  /** Makes known how a list channel lies in rows, so that its next version is stored on top of them. */
  learn(row: { threadId: string; ns: string }, channel: string, layout: () => ListLayout): void {
    this.#layouts.set(keyWithin(row, channel), layout);
  }

  #open(gatherMs: number): Batch {
    if (this.#batch) {
      if (gatherMs < this.#gatherMs) this.#wait(gatherMs);
      return this.#batch;
    }
    let settle: Batch["settle"] = () => undefined;
    const done = new Promise<void>((resolve, reject) => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- what the write threw is passed on as it is
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
    // What is added while a statement is under way shares the next one.
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
    this.learn(row, channel, () => layout);
    return { ...row, ...stored };
  }
}

/** What tasks wrote is for a run that goes on at their checkpoint: nobody does once the next one has it all in its values. */
function withoutSuperseded(writes: readonly WriteRow[], checkpoints: readonly NewCheckpoint[]): WriteRow[] {
  const passed = new Set(checkpoints.map(({ row }) => keyWithin(row, row.parentId)));
  return writes.filter((row) => !passed.has(keyWithin(row, row.checkpointId)));
}

/** What a channel or a checkpoint of a namespace is kept by. */
function keyWithin({ threadId, ns }: RowKey, id: string | null): string {
  return JSON.stringify([threadId, ns, id]);
}
