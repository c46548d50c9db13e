import type { Claim, ClaimedJob, Database } from "#queue";
import { claim, claimLimited, completeAndClaim, flushClaims } from "#queue/claim";
import type { Claimed, Line } from "#queue/claim";
import { releaseOrphans } from "#queue/settle";
import { faultPoint } from "#fault";
import type { WorkerOptions } from "../worker-options.ts";

export interface ClaimerOptions extends Pick<WorkerOptions, "db" | "log" | "leaseMs"> {
  workerId: string;
  /** Aborted when the worker stops claiming. */
  drain: AbortSignal;
  /** How many more jobs the worker can run now. */
  freeSlotCount: () => number;
  /** The claims that the worker knows it holds. */
  heldClaims: () => readonly Claim[];
  /** Starts the jobs of a claim that was sent at `sentMs`, in milliseconds since 1970. */
  launch: (jobs: readonly ClaimedJob[], sentMs: number) => void;
  /** Called when a joint claim has left slots free. */
  onFreeSlots: () => void;
}

/**
 * - `drained`: the last claim took every ready job. A notice or the next poll finds new ones.
 * - `backlogged`: the last claim filled its slots, or no slot was free. More jobs may be ready.
 * - `claiming`: a statement is in flight. No second one is sent.
 * - `unsure`: a claim's answer was lost. This worker may hold leases that it does not know.
 */
type State = "drained" | "backlogged" | "claiming" | "unsure";

/** What the next claim must know of the claims before it. */
interface Cursor {
  /** The owner that was served last: the next owner has its turn. */
  afterOwner: string | undefined;
  /** The only line with ready jobs; undefined when several lines may have some. */
  line: Line | undefined;
  /** True when queues with a limit may have ready jobs. */
  hasLimited: boolean;
  /** Queues with and without a limit take turns within a priority. True when limited queues went last in this claim. */
  isLimitedLast: boolean;
}

type Completion = Parameters<typeof completeAndClaim>[1][number];
type JointClaimOptions = Parameters<typeof completeAndClaim>[2];

/** The most jobs that one joint statement completes, and the most that it claims. */
const MAX_JOINT_BATCH = 32;

/**
 * Claims jobs for one worker over its own connection, with at most one statement in flight:
 *
 *     drained | backlogged ──send──▶ claiming ──all slots filled──▶ backlogged
 *                                       ├──fewer jobs──▶ drained
 *                                       └──error──▶ unsure ──orphans released──▶ backlogged
 */
export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #db: Database;
  #state: State = "drained";
  readonly #cursor: Cursor = { afterOwner: undefined, line: undefined, hasLimited: false, isLimitedLast: false };

  constructor(options: ClaimerOptions) {
    this.#options = options;
    this.#db = options.db.withOwnConnection();
  }

  /** False when a free slot need not wake the worker: nothing is ready, or the end of the claim in flight will. */
  get mayFindMore(): boolean {
    return this.#state === "backlogged" || this.#state === "unsure" || this.#cursor.hasLimited;
  }

  /** Records that queues with a limit may have ready jobs. */
  expectLimited(): void {
    this.#cursor.hasLimited = true;
  }

  /** Claims and starts jobs for the free slots; returns true when the caller should claim again at once. */
  async fill(): Promise<boolean> {
    await this.releaseUnknown();
    // The end of the claim in flight calls `onFreeSlots`.
    if (this.#state === "claiming") return false;
    const limit = this.#options.freeSlotCount();
    if (limit < 1) {
      this.#state = "backlogged";
      return false;
    }
    this.#state = "claiming";
    const isContended = await this.#claim(limit).catch((error: unknown) => this.#markUnsure(error));
    return isContended || this.#isBehind;
  }

  /**
   * Completes jobs and claims jobs for the free slots in one joint statement. Resolves with the jobs that were not
   * completed. Returns undefined when the caller should complete alone. A small worker mostly waits for commits, so it
   * saves one; a large worker claims and completes at the same time over two connections.
   */
  completeAndClaim<T extends Completion>(completions: readonly T[]): Promise<T[]> | undefined {
    const { drain, freeSlotCount } = this.#options;
    const { line, hasLimited } = this.#cursor;
    const limit = freeSlotCount();
    const isSmall = limit > 0 && Math.max(limit, completions.length) <= MAX_JOINT_BATCH;
    if (!isSmall || !line || this.#state !== "backlogged" || hasLimited) return undefined;
    if (drain.aborted || !this.#db.hasIndexedPlans) return undefined;
    return this.#sendJoint(completions, { ...this.#claimOptions(limit), line });
  }

  /** After a lost answer, releases the claims that the database has recorded and this worker does not know. */
  async releaseUnknown(): Promise<void> {
    if (this.#state !== "unsure") return;
    const { log, workerId, heldClaims } = this.#options;
    const count = await this.#db.call((sql) => releaseOrphans(sql, workerId, heldClaims()));
    this.#state = "backlogged";
    if (count > 0) log.warn({ count }, "released jobs of a claim whose answer was lost");
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  async #sendJoint<T extends Completion>(completions: readonly T[], options: JointClaimOptions): Promise<T[]> {
    const { freeSlotCount, onFreeSlots } = this.#options;
    const sentMs = Date.now();
    this.#state = "claiming";
    try {
      const { left, ...claimed } = await this.#db.call((sql) => completeAndClaim(sql, completions, options));
      faultPoint("completed and claimed");
      this.#accept(claimed, { limit: options.limit, sentMs });
      return left;
    } catch (error) {
      return this.#markUnsure(error);
    } finally {
      if (freeSlotCount() > 0) onFreeSlots();
    }
  }

  /** Returns true when slots stayed free although more jobs were ready, because other workers had locked these. */
  async #claim(limit: number): Promise<boolean> {
    const cursor = this.#cursor;
    let left = limit;
    let hasMore = false;
    if (cursor.hasLimited) {
      cursor.isLimitedLast = !cursor.isLimitedLast;
      left -= await this.#claimLimited(left, cursor.isLimitedLast ? "equal" : "lower");
    }
    if (left > 0) {
      const sentMs = Date.now();
      const claimed = await this.#db.call((sql) => claim(sql, { ...this.#claimOptions(left), line: cursor.line }));
      faultPoint("claimed");
      this.#accept(claimed, { limit: left, sentMs });
      left -= claimed.jobs.length;
      hasMore = claimed.more;
    } else this.#state = "backlogged";
    if (cursor.hasLimited && left > 0) left -= await this.#claimLimited(left);
    return left < limit && left > 0 && (hasMore || cursor.hasLimited);
  }

  /** True when slots became free while a claim was in flight that then filled its slots. */
  get #isBehind(): boolean {
    return this.#state === "backlogged" && this.#options.freeSlotCount() > 0;
  }

  #markUnsure(error: unknown): never {
    this.#state = "unsure";
    throw error;
  }

  /** Claims jobs of queues with a limit, and records whether more may be ready. */
  async #claimLimited(limit: number, yields?: "lower" | "equal"): Promise<number> {
    const options = { ...this.#claimOptions(limit), yields };
    const sentMs = Date.now();
    const claimed = await this.#db.transaction((tx) => claimLimited(tx, options));
    faultPoint("claimed of a limit");
    this.#cursor.hasLimited = claimed.more;
    this.#start(claimed, sentMs);
    return claimed.jobs.length;
  }

  /** Starts jobs of queues without a limit, and moves the cursor. */
  #accept(claimed: Claimed, { limit, sentMs }: { limit: number; sentMs: number }): void {
    this.#state = claimed.jobs.length === limit ? "backlogged" : "drained";
    if (claimed.jobs.length > 0 || claimed.line) this.#cursor.line = claimed.line;
    this.#start(claimed, sentMs);
  }

  /** Starts jobs, then flushes their claim to disk. */
  #start({ jobs, lastOwner, unflushed }: Claimed, sentMs: number): void {
    this.#cursor.afterOwner = lastOwner;
    this.#options.launch(jobs, sentMs);
    // A database that crashed meanwhile has flushed the claim or lost it. If lost, the next heartbeat finds out.
    if (unflushed) void this.#db.call(flushClaims).catch(() => undefined);
  }

  #claimOptions(limit: number) {
    const { workerId, leaseMs } = this.#options;
    return { workerId, limit, leaseMs, afterOwner: this.#cursor.afterOwner };
  }
}
