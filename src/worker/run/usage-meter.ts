import type { ClaimedJob, Database } from "#queue";
import { addUsage, readSpent } from "#queue/read";
import type { Budget, Usage } from "#shared/usage";
import { BudgetExceededError } from "../errors.ts";
import type { EventWriter } from "./event-writer.ts";

interface UsageMeterOptions {
  db: Database;
  job: ClaimedJob;
  events: EventWriter;
  onExceeded: (error: BudgetExceededError) => void;
}

const NOTHING: Usage = { inputTokens: 0, outputTokens: 0, costUsd: 0 };

/** Adds up an attempt's use of models, shows it on the job, and reports when the job's attempts exceed its budget. */
export class UsageMeter {
  readonly #options: UsageMeterOptions;
  #earlier: Usage = NOTHING;
  #used: Usage = NOTHING;

  constructor(options: UsageMeterOptions) {
    this.#options = options;
  }

  /** Reads the use of earlier attempts, if the job has a budget. */
  async readEarlier(): Promise<void> {
    const { db, job } = this.#options;
    if (job.budget === null || job.attempt === 1) return;
    this.#earlier = (await db.call(async (sql) => readSpent(sql, job.jobId))) ?? NOTHING;
    this.#check();
  }

  add(usage: Usage): void {
    this.#used = sum(this.#used, usage);
    this.#options.events.showUsage(this.#used);
    this.#check();
  }

  #check(): void {
    const { job, onExceeded } = this.#options;
    const excess = job.budget && findExcess(job.budget, sum(this.#earlier, this.#used));
    if (excess !== null) onExceeded(new BudgetExceededError(excess));
  }
}

const sum = (...usages: Usage[]): Usage => addUsage(usages) ?? NOTHING;

/** A sentence that says how the usage exceeds the budget; null when it does not. */
export function findExcess(budget: Budget, { inputTokens, outputTokens, costUsd }: Usage): string | null {
  const tokens = inputTokens + outputTokens;
  if (budget.tokens !== undefined && tokens > budget.tokens)
    return `The job has used ${tokens} tokens, more than its budget of ${budget.tokens}`;
  if (budget.costUsd === undefined) return null;
  if (costUsd === null)
    return "The job has a budget in US dollars, but it used a model without a known price: MODEL_PRICE is the price of MODEL";
  return costUsd > budget.costUsd
    ? `The job has cost $${costUsd.toFixed(6)}, more than its budget of $${budget.costUsd}`
    : null;
}
