import { setImmediate as nextTurn } from "node:timers/promises";
import type { Logger } from "pino";
import { Service } from "#shared/service";
import { ConditionVariable } from "../condition-variable.ts";
import { logFailure } from "../log-failure.ts";
import type { Claimer } from "./claimer.ts";
import type { Completer } from "./completer.ts";
import { pollDelayMs } from "./poll-delay.ts";
import type { PollBounds } from "./poll-delay.ts";

export interface ProducerOptions {
  claimer: Claimer;
  completer: Completer;
  log: Logger;
  poll: PollBounds;
  /** Called once after notices, when the claim that they caused has ended. */
  afterNotice: () => void;
}

const LONGEST_WAIT_MS = 3_600_000;

/** The claim loop: keeps the worker's slots filled while jobs are ready. */
export class Producer extends Service {
  readonly #options: ProducerOptions;
  readonly #wakeup = new ConditionVariable();
  #hasNotice = false;
  /** Claims that failed in a row. */
  #failureCount = 0;
  #loop = Promise.resolve();

  constructor(options: ProducerOptions) {
    super();
    this.#options = options;
  }

  /** Claims at once if a slot is free. */
  wake(): void {
    this.#wakeup.notify();
  }

  /** Claims at once because a notice said that jobs may be ready. */
  hearNotice(): void {
    this.#hasNotice = true;
    this.wake();
  }

  protected onStart(): void {
    this.#loop = this.#run();
  }

  protected async onStop(): Promise<void> {
    this.wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { claimer, completer, log, poll, afterNotice } = this.#options;
    for (;;) {
      // Handlers that end in the same turn of the event loop free their slots for one claim.
      await nextTurn();
      // Completions go first: the claim may share their statement.
      if (completer.isDue) await nextTurn();
      if (this.stopping.aborted) return;
      const seenCount = this.#wakeup.count;
      let limitMs = LONGEST_WAIT_MS;
      try {
        if (await claimer.fill()) continue;
        this.#failureCount = 0;
        if (this.#hasNotice) afterNotice();
        this.#hasNotice = false;
      } catch (error) {
        logFailure(log, error, "claiming failed; will try again");
        limitMs = pollDelayMs(this.#failureCount, poll);
        this.#failureCount += 1;
      }
      await this.#wakeup.wait(limitMs, seenCount);
    }
  }
}
