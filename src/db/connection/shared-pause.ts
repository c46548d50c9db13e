import { setTimeout as wait } from "node:timers/promises";
import { backoffMs } from "./backoff.ts";

/** A pause that all calls take together; each that follows another closely is longer, up to 1 s. */
export class SharedPause {
  #current: Promise<void> | undefined;
  #count = 0;

  /** Resolves when no pause is under way. */
  async over(): Promise<void> {
    await this.#current;
  }

  /** Begins a pause, unless one is under way; it ends early with the signal. */
  begin(signal: AbortSignal): void {
    if (this.#current) return;
    this.#count += 1;
    this.#current = wait(backoffMs(this.#count), undefined, { signal })
      .catch(() => undefined)
      .finally(() => {
        this.#current = undefined;
      });
  }

  /** Notes that all is well: the next pause is a short one again. */
  clear(): void {
    if (!this.#current) this.#count = 0;
  }
}
