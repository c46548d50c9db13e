import type { HeldClaim, reportWorker } from "#queue/fleet";
import type { Worker as Thread } from "node:worker_threads";
import type { Logger } from "pino";
import { Service } from "#shared/service";
import { describeError } from "../run/describe-error.ts";
import { ClaimLedger } from "./claim-ledger.ts";
import { openThread } from "./open-thread.ts";

type WorkerReport = Parameters<typeof reportWorker>[1];
export type WorkerState = WorkerReport["state"];

/** The `workerData` of the heartbeat thread. */
export interface HeartbeatSettings {
  url: string;
  prepare: boolean;
  leaseMs: number;
  /** The worker's entry in the registry. */
  report: Omit<WorkerReport, "running" | "state">;
  /** The memory of the claim ledger. */
  claims: SharedArrayBuffer;
}

/** Messages of the worker to the thread, which reads the claims in the ledger. */
export type ToHeartbeat = { type: "state"; state: WorkerState } | { type: "alive" } | { type: "stop" };

/** Messages of the thread to the worker. */
export type FromHeartbeat =
  | { type: "ready" }
  /** Asks the worker's event loop for an `alive`. */
  | { type: "alive?" }
  | { type: "beat"; lost: string[]; cancelled: string[] }
  | { type: "missed"; message: string };

export interface HeartbeatOptions {
  settings: Omit<HeartbeatSettings, "claims">;
  /** The most claims that the worker holds at once. */
  maxClaims: number;
  log: Logger;
  /** Called with the keys of claims whose lease is lost. */
  onLost: (keys: readonly string[]) => void;
  /** Called with the keys of claims whose jobs are to be cancelled, at each heartbeat until they end. */
  onCancelled: (keys: readonly string[]) => void;
}

const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 5_000;

/**
 * Extends a worker's leases and renews its registry entry from a thread, so that no lease is lost when a handler blocks the
 * event loop. A thread that dies is started again, and reads the held claims in the ledger.
 */
export class Heartbeat extends Service {
  readonly #options: HeartbeatOptions;
  readonly #ledger: ClaimLedger;
  /** The ledger slot of each held claim, by its key. */
  readonly #held = new Map<string, number>();
  #thread: Thread | undefined;
  #markReady: () => void = () => undefined;
  #state: WorkerState = "active";
  #restartMs = FIRST_RESTART_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  /** When the current series of failed heartbeats began, by `performance.now`; undefined while they succeed. */
  #missedAt: number | undefined;

  constructor(options: HeartbeatOptions) {
    super();
    this.#options = options;
    this.#ledger = new ClaimLedger(options.settings.report.workerId, options.maxClaims);
  }

  /** Resolves when the thread runs: before that, a lease could expire unextended. */
  protected async onStart(): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#markReady = resolve;
    });
    this.#thread = this.#open();
    // The thread may die again and again.
    await Promise.race([ready, this.stopCalled]);
  }

  /** Marks the worker as stopped in the registry, and ends the thread. */
  protected async onStop(): Promise<void> {
    clearTimeout(this.#restartTimer);
    const thread = this.#thread;
    // A thread that died and was not started again has the id -1.
    if (!thread || thread.threadId === -1) return;
    const exited = new Promise<void>((resolve) => {
      thread.once("exit", () => resolve());
    });
    this.#send({ type: "stop" });
    await exited;
  }

  /** Extends a lease until `drop`, or until the claim is `maxAgeMs` old. */
  hold(key: string, claim: Required<Omit<HeldClaim, "workerId">>): void {
    this.#held.set(key, this.#ledger.add(claim));
  }

  /** Stops extending a lease, because its attempt has ended. */
  drop(key: string): void {
    const slot = this.#held.get(key);
    if (slot === undefined) return;
    this.#held.delete(key);
    this.#ledger.remove(slot);
  }

  /** Writes the worker's state to the registry at once. */
  report(state: WorkerState): void {
    this.#state = state;
    this.#send({ type: "state", state });
  }

  #send(message: ToHeartbeat): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#thread?.postMessage(message);
  }

  #open(): Thread {
    const { settings, log } = this.#options;
    const thread = openThread({ ...settings, claims: this.#ledger.memory } satisfies HeartbeatSettings);
    thread.on("message", (message: FromHeartbeat) => this.#hear(message));
    thread.on("error", (error) => log.error({ err: describeError(error) }, "the heartbeat thread failed"));
    thread.on("exit", () => {
      if (this.stopping.aborted) return;
      log.error({ delayMs: this.#restartMs }, "the heartbeat thread ended; starting it again");
      this.#restartTimer = setTimeout(() => this.#restart(), this.#restartMs);
      this.#restartMs = Math.min(this.#restartMs * 2, LONGEST_RESTART_MS);
    });
    return thread;
  }

  #restart(): void {
    this.#thread = this.#open();
    this.#send({ type: "state", state: this.#state });
  }

  #hear(message: FromHeartbeat): void {
    const { log, onLost, onCancelled } = this.#options;
    if (message.type === "ready") this.#markReady();
    else if (message.type === "alive?") this.#send({ type: "alive" });
    else if (message.type === "missed") this.#recordMiss(message.message);
    else if (message.type === "beat") {
      this.#restartMs = FIRST_RESTART_MS;
      if (this.#missedAt !== undefined)
        log.warn({ awayMs: Math.round(performance.now() - this.#missedAt) }, "heartbeats reach the database again");
      this.#missedAt = undefined;
      // A run that ended while the heartbeat was in flight has settled: its lease is not lost.
      const lost = message.lost.filter((key) => this.#held.has(key));
      if (lost.length > 0) onLost(lost);
      if (message.cancelled.length > 0) onCancelled(message.cancelled);
    }
  }

  /** Logs one error for an outage, however long it lasts. */
  #recordMiss(reason: string): void {
    const { log, settings } = this.#options;
    const level = this.#missedAt === undefined ? "error" : "debug";
    this.#missedAt ??= performance.now();
    log[level]({ reason }, `heartbeat failed; leases last ${settings.leaseMs} ms`);
  }
}
