import { QueryTimeoutError } from "../errors.ts";

/** Bounds how many calls run at once. The others wait in a queue, first come, first served. */
export class Semaphore {
  #freeCount: number;
  readonly #users: string;
  readonly #waiting = new Set<() => void>();

  /** @param users names the callers in the plural, for the error after too long a wait. */
  constructor(permitCount: number, users: string) {
    this.#freeCount = permitCount;
    this.#users = users;
  }

  /**
   * Runs work while it holds a permit.
   * @throws QueryTimeoutError when no permit became free within `waitMs`; the work was not started.
   */
  async run<T>(work: () => Promise<T>, waitMs: number): Promise<T> {
    if (!(await this.#acquire(waitMs)))
      throw new QueryTimeoutError(`Other ${this.#users} are still running: try again shortly`);
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  /** False when no permit became free within `waitMs`. */
  async #acquire(waitMs: number): Promise<boolean> {
    if (this.#freeCount > 0) {
      this.#freeCount -= 1;
      return true;
    }
    return new Promise((resolve) => {
      const admit = () => settle(true);
      const timer = setTimeout(() => settle(false), waitMs);
      const settle = (isAdmitted: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(admit);
        resolve(isAdmitted);
      };
      this.#waiting.add(admit);
    });
  }

  /** Hands the permit to the first waiting caller. */
  #release(): void {
    const [first] = this.#waiting;
    if (first) first();
    else this.#freeCount += 1;
  }
}
