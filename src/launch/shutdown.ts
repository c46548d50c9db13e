import type { Logger } from "pino";

/** `drain` waits for running work to reach a safe point; `at once` does not. */
export type Manner = "drain" | "at once";

/** Under npm one Ctrl-C arrives twice: from the terminal and from npm. */
const SAME_SIGNAL_MS = 300;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** 128 + SIGINT, as shells report it. */
const INTERRUPTED = 130;

/** Stops the started parts in reverse order, then ends this process. */
export class Shutdown {
  readonly #log: Logger;
  readonly #steps: ((manner: Manner) => Promise<void>)[] = [];
  readonly #stopped = new AbortController();
  #startUp: Promise<unknown> = Promise.resolve();
  #firstSignalAt: number | undefined;
  #isHurried = false;

  constructor(log: Logger) {
    this.#log = log;
    for (const signal of SIGNALS) process.on(signal, () => this.#onSignal(signal));
  }

  /** Aborted when the shutdown begins. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  /**
   * Waits for the start-up. A shutdown also waits for it, so that every started part is stopped.
   * @throws the error of the start-up; a start-up that checks `signal` rejects with the signal's reason.
   */
  async during<T>(startUp: Promise<T>): Promise<T> {
    this.#startUp = startUp.catch(() => undefined);
    return startUp;
  }

  /** Adds the stop of a part that has started. */
  add(step: (manner: Manner) => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Drains and stops every part, then exits with the code. Idempotent. */
  async begin(exitCode: number): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    await this.#startUp;
    await this.#run("drain");
    process.exit(this.#isHurried ? INTERRUPTED : exitCode);
  }

  #onSignal(signal: string): void {
    if (this.#firstSignalAt === undefined) {
      this.#firstSignalAt = performance.now();
      this.#log.info({ signal }, "stopping after running jobs reach a safe point; a second signal stops them at once");
      void this.begin(0);
      return;
    }
    if (performance.now() - this.#firstSignalAt < SAME_SIGNAL_MS) return;
    this.#isHurried = true;
    this.#log.warn({ signal }, "stopping at once; leases cover the running jobs");
    void this.#run("at once").then(() => process.exit(INTERRUPTED));
  }

  async #run(manner: Manner): Promise<void> {
    for (const step of this.#steps.toReversed()) {
      await step(manner).catch((error: unknown) => this.#log.error({ err: error }, "a part did not stop cleanly"));
    }
  }
}
