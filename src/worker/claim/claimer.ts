import type { Claim, ClaimedJob, Database } from "#queue";
import { claim, claimLimited, flushClaims } from "#queue/claim";
import type { Claimed, Line } from "#queue/claim";
import { releaseOrphans } from "#queue/settle";
import type { Logger } from "pino";
import { faultPoint } from "#fault";
import type { ClaimAlong, Successor } from "./finisher.ts";

export interface ClaimerOptions {
  db: Database;
  log: Logger;
  workerId: string;
  leaseMs: number;
  /** How many jobs the worker could take besides those that are being claimed. */
  places: () => number;
  /** The claims that the worker knows that it has. */
  known: () => readonly Claim[];
  /** Starts jobs of a claim that was sent at a time, in milliseconds since 1970. */
  launch: (jobs: readonly ClaimedJob[], sentMs: number) => void;
  /** Called when places have become free without a run's end. */
  onFree: () => void;
}

/** The most jobs that are claimed, and completed, in one statement that does both. */
const MOST_TOGETHER = 32;

/** Claims jobs for one worker over a connection of its own, and remembers what each claim says for the next. */
export class Claimer implements Successor {
  readonly #options: ClaimerOptions;
  readonly db: Database;
  /** How many jobs the statements under way may bring. */
  #asked = 0;
  #lastOwner: string | undefined;
  #line: Line | undefined;
  /** Whether queues with a limit may have ready jobs. */
  #limited = false;
  #yielding = false;
  /** Whether the last claim got all that it asked for, or could not ask. */
  #filled = false;
  /** Whether a claim may have been made whose answer was lost. */
  #doubtful = false;
  #closed = false;

  constructor(options: ClaimerOptions) {
    this.#options = options;
    this.db = options.db.apart();
  }

  /**
   * Whether a place that has become free may be filled, as far as one can know: a claim that left places free has taken
   * all there was, and what comes after it is told of.
   */
  get expectsMore(): boolean {
    return this.#filled || this.#limited || this.#doubtful;
  }

  /** Makes known that queues with a limit may have ready jobs. */
  expectLimited(): void {
    this.#limited = true;
  }

  /** Claims and starts jobs for the places that are free; true when more may be had at once. */
  async fill(): Promise<boolean> {
    if (this.#doubtful) await this.giveBackUnknown();
    const limit = this.#free();
    if (limit < 1) {
      this.#filled = true;
      return false;
    }
    this.#asked += limit;
    try {
      return await this.#claim(limit);
    } catch (error) {
      this.#doubtful = true;
      throw error;
    } finally {
      this.#asked -= limit;
    }
  }

  /** Claims no more with completions; what was asked for still comes. */
  close(): void {
    this.#closed = true;
  }

  /**
   * A worker with few places waits for commits most of the time, so that it claims in the statement that completes. Not
   * with many: there claims and completions run side by side, on two connections.
   */
  reserve(completions: number): ClaimAlong | undefined {
    const limit = this.#free();
    const isFew = limit > 0 && Math.max(limit, completions) <= MOST_TOGETHER && this.db.hasIndexedPlans;
    if (!isFew || !this.#line || !this.#filled || this.#limited || this.#doubtful || this.#closed) return undefined;
    this.#asked += limit;
    return { ...this.#claimOptions(limit), line: this.#line };
  }

  take(claimed: Claimed, { along, sentMs }: { along: ClaimAlong; sentMs: number }): void {
    this.#asked -= along.limit;
    this.#adopt(claimed, { limit: along.limit, sentMs });
    if (claimed.jobs.length < along.limit) this.#options.onFree();
  }

  fail(along: ClaimAlong): void {
    this.#asked -= along.limit;
    this.#doubtful = true;
    this.#options.onFree();
  }

  /**
   * A claim, or the first of its statements, may have been made though its answer was lost: what this worker holds
   * without knowing goes back.
   */
  async giveBackUnknown(): Promise<void> {
    const { log, workerId, known } = this.#options;
    // What is being claimed now would look as if it were not known.
    if (!this.#doubtful || this.#asked > 0) return;
    const freed = await this.db.call((sql) => releaseOrphans(sql, workerId, known()));
    this.#doubtful = false;
    if (freed > 0) log.warn({ freed }, "jobs of a lost claim given back");
  }

  #free(): number {
    return this.#options.places() - this.#asked;
  }

  async #claim(limit: number): Promise<boolean> {
    let left = limit;
    if (this.#limited) {
      // Where both have jobs of the same priority, they take turns: neither keeps the other waiting.
      this.#yielding = !this.#yielding;
      left -= await this.#claimLimited(left, this.#yielding ? "equal" : "lower");
    }
    let more = false;
    if (left > 0) {
      const sentMs = Date.now();
      const claimed = await this.db.call((sql) => claim(sql, { ...this.#claimOptions(left), line: this.#line }));
      faultPoint("claimed");
      this.#adopt(claimed, { limit: left, sentMs });
      left -= claimed.jobs.length;
      ({ more } = claimed);
    }
    if (this.#limited && left > 0) left -= await this.#claimLimited(left);
    return left < limit && left > 0 && (more || this.#limited);
  }

  /** Claims jobs of queues with a limit; remembers whether there may be more, now or once a place is free. */
  async #claimLimited(limit: number, yields?: "lower" | "equal"): Promise<number> {
    const options = { ...this.#claimOptions(limit), yields };
    const sentMs = Date.now();
    const claimed = await this.db.transaction((tx) => claimLimited(tx, options));
    faultPoint("claimed of a limit");
    this.#limited = claimed.more;
    this.#lastOwner = claimed.lastOwner;
    this.#start(claimed, sentMs);
    return claimed.jobs.length;
  }

  /** Starts what was claimed from the lines, and remembers what it says of those. */
  #adopt(claimed: Claimed, { limit, sentMs }: { limit: number; sentMs: number }): void {
    this.#line = claimed.line ?? (claimed.jobs.length === 0 ? this.#line : undefined);
    this.#lastOwner = claimed.lastOwner;
    this.#filled = claimed.jobs.length === limit;
    this.#start(claimed, sentMs);
  }

  /** Starts jobs, and sends their claim to the disk before any of them can have had an answer to anything. */
  #start({ jobs, unflushed }: Claimed, sentMs: number): void {
    this.#options.launch(jobs, sentMs);
    // A database that cannot be reached has flushed it, or forgotten it: then the next heartbeat finds the lease gone.
    if (unflushed) void this.db.call(flushClaims).catch(() => undefined);
  }

  #claimOptions(limit: number) {
    const { workerId, leaseMs } = this.#options;
    return { workerId, limit, leaseMs, afterOwner: this.#lastOwner };
  }
}
