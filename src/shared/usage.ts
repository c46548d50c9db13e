/** What runs use of models, and how much they may. */
import { z } from "zod";

/** How much of models a job may use over all its attempts; it fails once it has used more. */
export const budgetSchema = z.object({
  /** Input and output tokens together. */
  tokens: z.int("budget.tokens must be a whole number").min(1, "budget.tokens must be at least 1").optional(),
  /** US dollars, by the prices of the worker's settings. */
  costUsd: z.number("budget.costUsd must be a number").positive("budget.costUsd must be above 0").optional(),
});
export type Budget = z.infer<typeof budgetSchema>;

/** What a run has used of models. */
export const usageSchema = z.object({
  inputTokens: z.int(),
  outputTokens: z.int(),
  costUsd: z.number().nullable().describe("US dollars; null where the price of a model that was used is not known."),
});
export type Usage = z.infer<typeof usageSchema>;
