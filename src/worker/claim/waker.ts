/** Lets one loop wait for a time or for a signal, whichever is first; a signal given before the wait is not missed. */
export class Waker {
  #signals = 0;
  #resume: (() => void) | undefined;

  /** How many signals there have been: read it before looking for work, and hand it to `wait`. */
  get count(): number {
    return this.#signals;
  }

  /** Ends the present wait, or the next one whose count is older than this signal. */
  wake(): void {
    this.#signals += 1;
    this.#resume?.();
  }

  /** Waits until `delayMs` have passed or a signal came after `seen` was read. */
  async wait(delayMs: number, seen: number): Promise<void> {
    if (this.#signals !== seen) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#resume = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#resume = undefined;
  }
}
