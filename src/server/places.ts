/** A semaphore: callers beyond `count` queue until a place is freed or their limit passes. */
export class Places {
  #freeCount: number;
  readonly #line = new Set<() => void>();

  constructor(count: number) {
    this.#freeCount = count;
  }

  /** Takes a place, to be freed afterwards; false when none has become free within the limit, in milliseconds. */
  async take(limitMs: number): Promise<boolean> {
    if (this.#freeCount > 0) {
      this.#freeCount -= 1;
      return true;
    }
    return new Promise((resolve) => {
      const enter = () => {
        clearTimeout(timer);
        this.#line.delete(enter);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.#line.delete(enter);
        resolve(false);
      }, limitMs);
      this.#line.add(enter);
    });
  }

  /** Frees a place that was taken: the first in line has it. */
  free(): void {
    const [first] = this.#line;
    if (first) first();
    else this.#freeCount += 1;
  }
}
