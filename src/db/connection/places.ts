import { QueryTimeoutError } from "../errors.ts";

/** A semaphore: callers beyond `count` queue until a place is freed or their limit passes. */
export class Places {
  #freeCount: number;
  readonly #users: string;
  readonly #line = new Set<() => void>();

  /** @param users what takes the places, in the plural, for the message of a caller that finds none. */
  constructor(count: number, users: string) {
    this.#freeCount = count;
    this.#users = users;
  }

  /**
   * Does work in a place of its own.
   * @throws QueryTimeoutError when none has become free within the limit, in milliseconds; nothing was done.
   */
  async hold<T>(work: () => Promise<T>, limitMs: number): Promise<T> {
    if (!(await this.#take(limitMs)))
      throw new QueryTimeoutError(`Other ${this.#users} are still running: try again shortly`);
    try {
      return await work();
    } finally {
      this.#free();
    }
  }

  /** Takes a place, to be freed afterwards; false when none has become free within the limit, in milliseconds. */
  async #take(limitMs: number): Promise<boolean> {
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
  #free(): void {
    const [first] = this.#line;
    if (first) first();
    else this.#freeCount += 1;
  }
}
