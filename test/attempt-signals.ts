import type { WorkerSignals } from "../src/worker/worker-options.ts";

/** The signals of one or more workers, for tests that wait until a job was claimed or until an attempt has ended. */
export class AttemptSignals implements WorkerSignals {
  readonly #seen = new Set<string>();
  readonly #waiting = new Map<string, (() => void)[]>();

  readonly claimed: NonNullable<WorkerSignals["claimed"]> = ({ jobId }) => this.#signal(`${jobId} running`);
  readonly ended: NonNullable<WorkerSignals["ended"]> = ({ jobId }, { outcome }) => this.#signal(`${jobId} ${outcome}`);

  /** Resolves once a worker has claimed the job (`running`), or once an attempt has ended with the outcome `state`. */
  async reached(jobId: string, state: string): Promise<void> {
    const signal = `${jobId} ${state}`;
    if (this.#seen.has(signal)) return;
    await new Promise<void>((resolve) => {
      this.#waiting.set(signal, [...(this.#waiting.get(signal) ?? []), resolve]);
    });
  }

  #signal(signal: string): void {
    this.#seen.add(signal);
    for (const resolve of this.#waiting.get(signal) ?? []) resolve();
    this.#waiting.delete(signal);
  }
}
