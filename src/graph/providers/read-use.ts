import type { UsageMetadata } from "@langchain/core/messages";
import type { LLMResult } from "@langchain/core/outputs";

/** The tokens of one answer. */
interface Tokens {
  inputTokens: number;
  outputTokens: number;
}

/** What a call of a model has used, for each of its answers that says so. */
export function readUse({ generations }: LLMResult): Tokens[] {
  return generations.flat().flatMap((generation) => {
    const message = "message" in generation ? (generation.message as { usage_metadata?: UsageMetadata }) : undefined;
    const used = message?.usage_metadata;
    return used ? [{ inputTokens: used.input_tokens, outputTokens: used.output_tokens }] : [];
  });
}
