import type { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import type { UsageMetadata } from "@langchain/core/messages";
import type { LLMResult } from "@langchain/core/outputs";

/** The arguments that LangChain passes to a handler's method. */
export type Callback<Name extends keyof BaseCallbackHandler> = Parameters<
  Extract<BaseCallbackHandler[Name], (...given: never[]) => unknown>
>;

/** The token counts of a model call, one for each answer that reports them. */
export function readUse({ generations }: LLMResult): { inputTokens: number; outputTokens: number }[] {
  return generations.flat().flatMap((generation) => {
    const message = "message" in generation ? (generation.message as { usage_metadata?: UsageMetadata }) : undefined;
    const used = message?.usage_metadata;
    return used ? [{ inputTokens: used.input_tokens, outputTokens: used.output_tokens }] : [];
  });
}
