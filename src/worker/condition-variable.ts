/** Lets one loop wait for a notification or a time limit, without missing a notification before the wait. */
export class ConditionVariable {
  #count = 0;
  #resume: (() => void) | undefined;

  /** The number of notifications so far: read it before looking for work, and pass it to `wait`. */
  get count(): number {
    return this.#count;
  }

  /** Ends the current wait, or a later wait whose `seenCount` was read before this call. */
  notify(): void {
    this.#count += 1;
    this.#resume?.();
  }

  /** Waits for `limitMs`, or until there are more notifications than `seenCount`. */
  async wait(limitMs: number, seenCount: number): Promise<void> {
    if (this.#count !== seenCount) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#resume = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#resume = undefined;
  }
}
