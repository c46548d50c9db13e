const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
const STEADY_AFTER_MS = 60_000;

/** Milliseconds before a process that died is restarted: doubles from 250 to 10,000. */
export function restartDelayMs(deathsInARow: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (deathsInARow - 1), LONGEST_DELAY_MS);
}

/** Counts the deaths of one process. A minute of running resets the count. */
export class RestartDelay {
  readonly #now: () => number;
  #startedAt: number;
  #deathCount = 0;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedAt = now();
  }

  /** Records the start of the process. */
  started(): void {
    this.#startedAt = this.#now();
  }

  /** Counts a death and returns the milliseconds to wait before the next start. */
  next(): number {
    this.#deathCount = this.#now() - this.#startedAt > STEADY_AFTER_MS ? 1 : this.#deathCount + 1;
    return restartDelayMs(this.#deathCount);
  }
}
