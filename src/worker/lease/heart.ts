import type { HeldClaim, Offer } from "#queue/fleet";
import type { Worker as Thread } from "node:worker_threads";
import type { Logger } from "pino";
import { describeError } from "../run/describe-error.ts";
import { ClaimLedger } from "./claim-ledger.ts";
import { openThread } from "./open-thread.ts";

/** What the thread is told at its start. */
export interface HeartSettings {
  url: string;
  prepare: boolean;
  leaseMs: number;
  report: {
    workerId: string;
    host: string;
    pid: number;
    version: string;
    concurrency: number;
    offers: readonly Offer[];
    heartbeatMs: number;
  };
  /** The memory of the ledger of claims. */
  claims: SharedArrayBuffer;
}

export type WorkerState = "active" | "draining" | "stopped";

/** What the worker tells the thread; the claims lie in the ledger. */
export type ToHeart = { type: "state"; state: WorkerState } | { type: "alive" } | { type: "stop" };

/** What the thread tells the worker. */
export type FromHeart =
  | { type: "ready" }
  /** Asks whether the event loop of the worker still turns. */
  | { type: "alive?" }
  | { type: "beat"; lost: string[]; cancelled: string[] }
  | { type: "missed"; message: string }
  | { type: "stopped" };

export interface HeartOptions {
  settings: Omit<HeartSettings, "claims">;
  /** The most claims that are held at once. */
  mostClaims: number;
  log: Logger;
  /** Called with the keys of claims whose lease is lost for good. */
  onLost: (keys: readonly string[]) => void;
  /** Called with the keys of claims that are to be cancelled; again at each beat until they have ended. */
  onCancelled: (keys: readonly string[]) => void;
}

const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 5_000;

/**
 * Keeps a worker's leases and its place in the registry from a thread of its own, so that a handler that keeps the
 * event loop busy does not lose its lease. A thread that dies is started again with the claims held.
 */
export class Heart {
  readonly #options: HeartOptions;
  readonly #ledger: ClaimLedger;
  /** Where each claim stands in the ledger, by its key. */
  readonly #held = new Map<string, number>();
  #thread: Thread;
  readonly #ready: Promise<void>;
  #markReady: () => void = () => undefined;
  #state: WorkerState = "active";
  #stopping = false;
  #restartMs = FIRST_RESTART_MS;
  /** When the present series of failed heartbeats began; undefined while they succeed. */
  #missedAt: number | undefined;

  constructor(options: HeartOptions) {
    this.#options = options;
    this.#ledger = new ClaimLedger(options.settings.report.workerId, options.mostClaims);
    this.#ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
    this.#thread = this.#open();
  }

  /** Resolves when the thread runs: a lease taken before might expire unattended. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Extends a lease from now on, until the claim is `maxAgeMs` old. */
  hold(key: string, claim: Required<Omit<HeldClaim, "workerId">>): void {
    this.#held.set(key, this.#ledger.add(claim));
  }

  /** Leaves a lease alone, because its attempt has ended. */
  drop(key: string): void {
    const place = this.#held.get(key);
    if (place === undefined) return;
    this.#held.delete(key);
    this.#ledger.remove(place);
  }

  /** Shows the worker's state in the registry at once. */
  report(state: WorkerState): void {
    this.#state = state;
    this.#send({ type: "state", state });
  }

  /** Takes the worker off the registry's active ones and ends the thread. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const thread = this.#thread;
    // A thread that has died and was not started again has nothing to end.
    if (thread.threadId === -1) return;
    const ended = new Promise<void>((resolve) => {
      thread.once("exit", () => resolve());
    });
    this.#send({ type: "stop" });
    await ended;
  }

  #restart(): void {
    if (this.#stopping) return;
    this.#thread = this.#open();
    this.#send({ type: "state", state: this.#state });
  }

  #send(message: ToHeart): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#thread.postMessage(message);
  }

  #open(): Thread {
    const { settings, log } = this.#options;
    const thread = openThread("heartbeat-thread", { ...settings, claims: this.#ledger.memory } satisfies HeartSettings);
    thread.on("message", (message: FromHeart) => this.#hear(message));
    thread.on("error", (error) => log.error({ err: describeError(error) }, "the heartbeat thread failed"));
    thread.on("exit", () => {
      if (this.#stopping) return;
      log.error({ delayMs: this.#restartMs }, "the heartbeat thread ended; starting it again");
      setTimeout(() => this.#restart(), this.#restartMs);
      this.#restartMs = Math.min(this.#restartMs * 2, LONGEST_RESTART_MS);
    });
    return thread;
  }

  #hear(message: FromHeart): void {
    const { log, onLost, onCancelled } = this.#options;
    if (message.type === "ready") this.#markReady();
    else if (message.type === "alive?") this.#send({ type: "alive" });
    else if (message.type === "missed") this.#miss(message.message);
    else if (message.type === "beat") {
      this.#restartMs = FIRST_RESTART_MS;
      if (this.#missedAt !== undefined)
        log.warn({ awayMs: Math.round(performance.now() - this.#missedAt) }, "heartbeats reach the database again");
      this.#missedAt = undefined;
      // A run that ended while the statement was under way is no longer held: its lease is not lost, it is done.
      const lost = message.lost.filter((key) => this.#held.has(key));
      if (lost.length > 0) onLost(lost);
      if (message.cancelled.length > 0) onCancelled(message.cancelled);
    }
  }

  /** One line for an outage, however long it lasts. */
  #miss(message: string): void {
    const { log, settings } = this.#options;
    const level = this.#missedAt === undefined ? "error" : "debug";
    this.#missedAt ??= performance.now();
    log[level]({ reason: message }, `heartbeat failed; leases last ${settings.leaseMs} ms`);
  }
}
