import type { ClaimedJob, Database } from "#queue";
import { readSpent } from "#queue/read";
import type { Budget, Usage } from "#shared/usage";
import { BudgetExceededError } from "../errors.ts";
import type { EventWriter } from "./event-writer.ts";

export interface PurseOptions {
  db: Database;
  job: ClaimedJob;
  events: EventWriter;
  onExceeded: (error: BudgetExceededError) => void;
}

const NOTHING: Usage = { inputTokens: 0, outputTokens: 0, costUsd: 0 };

/** Counts what an attempt uses of models, shows it on the job, and stops the run once all attempts have used too much. */
export class Purse {
  readonly #options: PurseOptions;
  #before: Usage = NOTHING;
  #spent: Usage = NOTHING;

  constructor(options: PurseOptions) {
    this.#options = options;
  }

  /** Reads what earlier attempts have used, where that matters. */
  async open(): Promise<void> {
    const { db, job } = this.#options;
    if (job.budget === null || job.attempt === 1) return;
    this.#before = (await db.call(async (sql) => readSpent(sql, job.jobId))) ?? NOTHING;
    this.#check();
  }

  /** Adds to what the attempt has used. */
  spend(usage: Usage): void {
    this.#spent = add(this.#spent, usage);
    this.#options.events.spend(this.#spent);
    this.#check();
  }

  #check(): void {
    const { job, onExceeded } = this.#options;
    const fault = job.budget && findExcess(job.budget, add(this.#before, this.#spent));
    if (fault !== null) onExceeded(new BudgetExceededError(fault));
  }
}

function add(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
  };
}

/** What is over the budget, as a sentence; null when nothing is. */
export function findExcess(budget: Budget, { inputTokens, outputTokens, costUsd }: Usage): string | null {
  const tokens = inputTokens + outputTokens;
  if (budget.tokens !== undefined && tokens > budget.tokens)
    return `The job has used ${tokens} tokens, more than its budget of ${budget.tokens}`;
  if (budget.costUsd === undefined) return null;
  if (costUsd === null)
    return "The job has a budget in US dollars, but it used a model whose price is not known: MODEL_PRICE is that of MODEL";
  return costUsd > budget.costUsd
    ? `The job has cost $${costUsd.toFixed(6)}, more than its budget of $${budget.costUsd}`
    : null;
}
