/** Lets one caller wait for a job's next change; a change between two waits ends the next wait at once. */
export class JobWatch {
  #hasChanged = false;
  #resume: (() => void) | undefined;

  hear(): void {
    this.#hasChanged = true;
    this.#resume?.();
  }

  /**
   * Waits until there is a change, `limitMs` have passed (`Infinity` for no limit) or the signal aborts. Returns true for
   * a change.
   */
  async next(limitMs: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#hasChanged && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = limitMs === Infinity ? undefined : setTimeout(() => this.#resume?.(), limitMs);
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
    const hasChanged = this.#hasChanged;
    this.#hasChanged = false;
    return hasChanged;
  }
}
