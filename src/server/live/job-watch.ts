/** Hears of a job's changes for one that waits; a change that comes between two waits ends the next one. */
export class JobWatch {
  #heard = false;
  #resume: (() => void) | undefined;

  hear(): void {
    this.#heard = true;
    this.#resume?.();
  }

  /**
   * Waits for a change, for a time in milliseconds (`Infinity` for no limit) or until the signal aborts; says whether it
   * was a change.
   */
  async next(longestMs: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#heard && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = longestMs === Infinity ? undefined : setTimeout(() => this.#resume?.(), longestMs);
        const leave = () => this.#resume?.();
        signal.addEventListener("abort", leave, { once: true });
        this.#resume = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", leave);
          this.#resume = undefined;
          resolve();
        };
      });
    }
    const heard = this.#heard;
    this.#heard = false;
    return heard;
  }
}
