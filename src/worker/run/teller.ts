import type { Append } from "#queue/events";
import type { Along } from "#checkpoint";
import { EventWriter } from "./event-writer.ts";
import { persistFor } from "./persist.ts";
import { Purse } from "./purse.ts";
import type { Run, RunEnvironment } from "./run-job.ts";

/** What a run tells of itself; made only once it does. */
export class Teller {
  readonly #run: Run;
  readonly #environment: Pick<RunEnvironment, "db" | "leaseMs" | "leaving">;
  #events: EventWriter | undefined;
  #purse: Purse | undefined;
  #closed = false;

  constructor(run: Run, environment: Pick<RunEnvironment, "db" | "leaseMs" | "leaving">) {
    this.#run = run;
    this.#environment = environment;
  }

  get events(): EventWriter {
    if (!this.#events) {
      const { job, log, stop } = this.#run;
      this.#events = new EventWriter({
        db: this.#environment.db,
        job,
        log: log(),
        persist: persistFor(this.#run, this.#environment),
        onLost: (error) => stop.abort(error),
      });
      if (this.#closed) this.#events.seal();
    }
    return this.#events;
  }

  /** Whether there is, or was, anything to write. */
  get hasTold(): boolean {
    return this.#events !== undefined;
  }

  get purse(): Purse {
    const { job, stop } = this.#run;
    this.#purse ??= new Purse({
      db: this.#environment.db,
      job,
      events: this.events,
      onExceeded: (error) => stop.abort(error),
    });
    return this.#purse;
  }

  takeAlong(): Along | undefined {
    return this.#events?.takeAlong();
  }

  /** Drops what a handler that goes on tells after its end. */
  seal(): void {
    this.#closed = true;
    this.#events?.seal();
  }

  /** What is left to tell, for the transaction that completes the job; `forget` it once that has committed. */
  async rest(): Promise<Append | undefined> {
    return this.#events?.rest();
  }

  forget(): void {
    this.#events?.forget();
  }

  /** Writes what is left to tell. */
  async close(): Promise<void> {
    await this.#events?.close();
  }
}
