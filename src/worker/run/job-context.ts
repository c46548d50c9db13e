import type { ClaimedJob } from "#queue";
import type { Logger } from "pino";
import type { Along } from "#checkpoint";
import type { Usage } from "#shared/usage";
import type { RunContext } from "../define-job.ts";
import { persistUntilStopped } from "./persist.ts";
import type { Persist } from "./persist.ts";
import type { Run, RunEnvironment } from "./run-job.ts";
import type { Teller } from "./teller.ts";

type Environment = Pick<RunEnvironment, "db" | "drain" | "leaseMs" | "leaving">;

/**
 * What a handler is given. Functions and signals are made when it asks for them, which most small jobs never do: of
 * those that run, thousands wait at once to be completed, and what each of them keeps alive is collected late.
 */
export class JobContext implements RunContext<unknown> {
  readonly job: ClaimedJob;
  readonly payload: unknown;
  readonly drain: AbortSignal;
  readonly #run: Run;
  readonly #teller: Teller;
  readonly #environment: Environment;

  constructor(run: Run, environment: Environment, teller: Teller) {
    this.job = run.job;
    this.payload = run.job.payload;
    this.drain = environment.drain;
    this.#environment = environment;
    this.#run = run;
    this.#teller = teller;
  }

  get signal(): AbortSignal {
    return this.#run.stop.signal;
  }

  get log(): Logger {
    return this.#run.log();
  }

  get progress() {
    const teller = this.#teller;
    return (step: string, detail?: string) => teller.events.report({ step, ...(detail !== undefined && { detail }) });
  }

  get emit() {
    const teller = this.#teller;
    return (type: string, data: unknown) => teller.events.add(type, data);
  }

  get spend() {
    const teller = this.#teller;
    return (usage: Usage) => teller.purse.spend(usage);
  }

  get persist(): Persist {
    return persistUntilStopped(this.#run, this.#environment);
  }

  get takeAlong(): () => Along | undefined {
    const teller = this.#teller;
    return () => teller.takeAlong();
  }
}
