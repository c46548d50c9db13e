import type { Worker as Thread } from "node:worker_threads";
import type { Logger } from "pino";
import { claimKey } from "#queue";
import type { HeldClaim } from "#queue";
import { openThread } from "./open-thread.ts";

/** What the thread is told at its start. */
export interface HeartSettings {
  url: string;
  prepare: boolean;
  leaseMs: number;
  heartbeatMs: number;
  report: { workerId: string; host: string; pid: number; version: string; concurrency: number };
}

export type WorkerState = "active" | "draining" | "stopped";

/** What the worker tells the thread. */
export type ToHeart =
  | { type: "hold"; claims: HeldClaim[] }
  | { type: "drop"; keys: string[] }
  | { type: "state"; state: WorkerState }
  | { type: "stop" };

/** What the thread tells the worker. */
export type FromHeart =
  | { type: "ready" }
  | { type: "beat"; lost: string[]; cancelled: string[] }
  | { type: "missed"; message: string }
  | { type: "stopped" };

export interface HeartOptions {
  settings: HeartSettings;
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
  readonly #held = new Map<string, HeldClaim>();
  readonly #dropped: string[] = [];
  #thread: Thread;
  readonly #ready: Promise<void>;
  #markReady: () => void = () => undefined;
  #state: WorkerState = "active";
  #stopping = false;
  #restartMs = FIRST_RESTART_MS;

  constructor(options: HeartOptions) {
    this.#options = options;
    this.#ready = new Promise((resolve) => {
      this.#markReady = resolve;
    });
    this.#thread = this.#open();
  }

  /** Resolves when the thread runs: a lease taken before might expire unattended. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Extends these leases from now on. */
  hold(claims: readonly HeldClaim[]): void {
    if (claims.length === 0) return;
    const plain = claims.map(({ jobId, attempt, workerId, maxAgeMs }) => ({
      jobId,
      attempt,
      workerId,
      ...(maxAgeMs !== undefined && { maxAgeMs }),
    }));
    for (const claim of plain) this.#held.set(claimKey(claim), claim);
    this.#send({ type: "hold", claims: plain });
  }

  /** Leaves a lease alone, because its attempt has ended. */
  drop(key: string): void {
    if (!this.#held.delete(key)) return;
    // Jobs end by the hundred: those of one turn of the event loop share a message.
    if (this.#dropped.length === 0) setImmediate(() => this.#send({ type: "drop", keys: this.#dropped.splice(0) }));
    this.#dropped.push(key);
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
    this.#send({ type: "hold", claims: [...this.#held.values()] });
  }

  #send(message: ToHeart): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#thread.postMessage(message);
  }

  #open(): Thread {
    const { settings, log } = this.#options;
    const thread = openThread("heartbeat/main", settings);
    thread.on("message", (message: FromHeart) => this.#hear(message));
    thread.on("error", (error) => log.error({ err: { message: error.message } }, "the heartbeat thread failed"));
    thread.on("exit", () => {
      if (this.#stopping) return;
      log.error({ delayMs: this.#restartMs }, "the heartbeat thread ended; starting it again");
      setTimeout(() => this.#restart(), this.#restartMs);
      this.#restartMs = Math.min(this.#restartMs * 2, LONGEST_RESTART_MS);
    });
    return thread;
  }

  #hear(message: FromHeart): void {
    const { log, onLost, onCancelled, settings } = this.#options;
    if (message.type === "ready") this.#markReady();
    else if (message.type === "missed") {
      log.error({ err: { message: message.message } }, `heartbeat failed; leases last ${settings.leaseMs} ms`);
    } else if (message.type === "beat") {
      this.#restartMs = FIRST_RESTART_MS;
      // A run that ended while the statement was under way is no longer held: its lease is not lost, it is done.
      const lost = message.lost.filter((key) => this.#held.delete(key));
      if (lost.length > 0) onLost(lost);
      if (message.cancelled.length > 0) onCancelled(message.cancelled);
    }
  }
}
