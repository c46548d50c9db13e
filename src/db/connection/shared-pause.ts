import { setTimeout as wait } from "node:timers/promises";
import { backoffMs } from "./backoff.ts";

/** A pause that all calls share. It doubles up to 1 s until a call succeeds. */
export class SharedPause {
  #current: Promise<void> | undefined;
  #count = 0;

  /** Resolves when no pause is running. */
  async over(): Promise<void> {
    await this.#current;
  }

  /** Begins a pause unless one is running. The signal ends it early. */
  begin(signal: AbortSignal): void {
    if (this.#current) return;
    this.#count += 1;
    this.#current = wait(backoffMs(this.#count), undefined, { signal })
      .catch(() => undefined)
      .finally(() => {
        this.#current = undefined;
      });
  }

  /** Notes a success: the next pause is short again. */
  clear(): void {
    if (!this.#current) this.#count = 0;
  }
}
