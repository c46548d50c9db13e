/** The use of models, and its limits. */
import { z } from "zod";

/** The limit on a job's use of models over all its attempts; a job that exceeds it fails. */
export const budgetSchema = z.object({
  /** Input and output tokens together. */
  tokens: z.int("budget.tokens must be a whole number").min(1, "budget.tokens must be at least 1").optional(),
  /** US dollars, by the worker's `MODEL_PRICE`. */
  costUsd: z.number("budget.costUsd must be a number").positive("budget.costUsd must be above 0").optional(),
});
export type Budget = z.infer<typeof budgetSchema>;

/** The use of models by a run. */
export const usageSchema = z.object({
  inputTokens: z.int(),
  outputTokens: z.int(),
  costUsd: z.number().nullable().describe("US dollars; null when the price of a used model is unknown."),
});
export type Usage = z.infer<typeof usageSchema>;
