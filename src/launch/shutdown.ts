import type { Logger } from "pino";

/** `drain` lets work under way come to its end; `at once` does not wait for it. */
export type Manner = "drain" | "at once";

const SAME_SIGNAL_MS = 300;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const INTERRUPTED = 130;

/** What to stop, in the reverse of the order in which it was started; the process ends with it. */
export class Shutdown {
  readonly #log: Logger;
  readonly #steps: ((manner: Manner) => Promise<void>)[] = [];
  readonly #stopped = new AbortController();
  #startUp: Promise<unknown> = Promise.resolve();
  #firstSignalAt: number | undefined;
  #hurried = false;

  constructor(log: Logger) {
    this.#log = log;
    for (const signal of SIGNALS) process.on(signal, () => this.#onSignal(signal));
  }

  /** Aborted as soon as everything is to end. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  /**
   * Runs the start-up. A shutdown waits for the step of it that is under way, so that nothing is started unseen.
   * @throws what the start-up throws, and the signal's reason from a start-up that checks it
   */
  async during<T>(startUp: Promise<T>): Promise<T> {
    this.#startUp = startUp.catch(() => undefined);
    return startUp;
  }

  add(step: (manner: Manner) => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Drains and stops everything, then ends the process with this code; a second call changes nothing. */
  async begin(exitCode: number): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    await this.#startUp;
    await this.#run("drain");
    process.exit(this.#hurried ? INTERRUPTED : exitCode);
  }

  #onSignal(signal: string): void {
    // npm passes Ctrl-C on as well, so that one keystroke arrives twice.
    if (this.#firstSignalAt !== undefined && performance.now() - this.#firstSignalAt < SAME_SIGNAL_MS) return;
    if (this.#firstSignalAt === undefined) {
      this.#firstSignalAt = performance.now();
      this.#log.info({ signal }, "stopping: jobs under way come to a safe point first; once more stops at once");
      void this.begin(0);
      return;
    }
    this.#hurried = true;
    this.#log.warn({ signal }, "stopping at once; leases cover the jobs that run");
    void this.#run("at once").then(() => process.exit(INTERRUPTED));
  }

  async #run(manner: Manner): Promise<void> {
    for (const step of this.#steps.toReversed()) {
      await step(manner).catch((error: unknown) => this.#log.error({ err: error }, "a part did not stop cleanly"));
    }
  }
}
