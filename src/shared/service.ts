/** `start` came after `stop`: make a new service instead. */
export class ServiceStoppedError extends Error {
  override readonly name = "ServiceStoppedError";

  constructor(service: string) {
    super(`${service} was stopped and cannot start again`);
  }
}

/**
 * A part of a process that runs from `start` until `stop`. Both may be called more than once, at any time and in any order:
 * - Repeated calls share one run; each resolves when it is done.
 * - `stop` during `start` waits for the start to end, then stops; that `start` rejects.
 * - `stop` is final: `start` after it rejects. `stop` without `start` frees the constructor's resources.
 * - `stop` also frees the resources of a failed `start`.
 * @see https://github.com/riverqueue/river/blob/master/rivershared/startstop/start_stop.go
 */
export abstract class Service {
  readonly #stopping = new AbortController();
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * Resolves when the service runs.
   * @throws ServiceStoppedError when `stop` was called before or meanwhile; else the error of `onStart`.
   */
  async start(): Promise<void> {
    this.stopping.throwIfAborted();
    this.#started ??= this.#startOnce();
    await this.#started;
    this.stopping.throwIfAborted();
  }

  /** Resolves when nothing of the service runs any more. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stopOnce();
    await this.#stopped;
  }

  /** Aborted as soon as `stop` is called. */
  protected get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Resolves as soon as `stop` is called: a start that waits for more than a moment races it. */
  protected readonly stopCalled = new Promise<void>((resolve) => {
    this.#stopping.signal.addEventListener("abort", () => resolve());
  });

  /** Called at most once. */
  protected abstract onStart(): Promise<void> | void;
  /** Called once, after `onStart` has settled, also when that failed or was never called. */
  protected abstract onStop(): Promise<void> | void;

  async #startOnce(): Promise<void> {
    await this.onStart();
  }

  async #stopOnce(): Promise<void> {
    this.#stopping.abort(new ServiceStoppedError(this.constructor.name));
    await this.#started?.catch(() => undefined);
    await this.onStop();
  }
}
