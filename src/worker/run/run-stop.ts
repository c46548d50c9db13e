/**
 * The one reason for which a run is told to stop; the first counts. Its signal is made only when somebody asks for it:
 * most runs are over before anybody does, and a signal costs more than all else that a small job needs.
 */
export class RunStop {
  #reason: Error | undefined;
  #controller: AbortController | undefined;
  #tell: ((reason: Error) => void) | undefined;

  /** Why the run must stop; undefined while it need not. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  /** Aborted when the run must stop. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Tells the run to stop. */
  abort(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#tell?.(reason);
  }

  /** Rejects as soon as the run must stop, so that work which ignores its signal holds nothing up; else as the work ends. */
  race<T>(work: Promise<T>): Promise<T> {
    if (this.#reason) {
      work.catch(() => undefined);
      return Promise.reject(this.#reason);
    }
    return new Promise<T>((resolve, reject) => {
      this.#tell = reject;
      work.then(resolve, reject);
    });
  }
}
