import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import type { LLMResult } from "@langchain/core/outputs";
import { readUse } from "./callbacks.ts";
import type { Callback } from "./callbacks.ts";
import { readModelError } from "./read-model-error.ts";
import type { ModelUse } from "../turn.ts";

/** Follows every model call of a run, in any node: reports its tokens and remembers its failure. */
export class ModelWatch extends BaseCallbackHandler {
  override readonly name = "threadmill_models";
  // Otherwise a run over its budget could start another step.
  override awaitHandlers = true;
  readonly #onUse: ((use: ModelUse) => void) | undefined;
  readonly #failures = new WeakSet();
  /** The model of each call in flight, by call id, where the call names it. */
  readonly #models = new Map<string, string>();

  constructor(onUse: ((use: ModelUse) => void) | undefined) {
    super();
    this.#onUse = onUse;
  }

  override handleChatModelStart(...[, , runId, , , , metadata = {}]: Callback<"handleChatModelStart">): void {
    this.#remember(runId, metadata);
  }

  override handleLLMStart(...[, , runId, , , , metadata = {}]: Callback<"handleLLMStart">): void {
    this.#remember(runId, metadata);
  }

  override handleLLMEnd(result: LLMResult, runId: string): void {
    const model = this.#models.get(runId) ?? null;
    this.#models.delete(runId);
    for (const use of readUse(result)) this.#onUse?.({ ...use, model });
  }

  override handleLLMError(error: unknown, runId: string): void {
    this.#models.delete(runId);
    if (typeof error === "object" && error !== null) this.#failures.add(error);
  }

  #remember(runId: string, { ls_provider: provider, ls_model_name: name }: Record<string, unknown>): void {
    if (typeof provider === "string" && typeof name === "string") this.#models.set(runId, `${provider}:${name}`);
  }

  /** Maps the error of a run by its cause in a model call. Returns any other error unchanged. */
  explain(error: unknown): unknown {
    for (let one = error; one instanceof Error; one = one.cause) {
      if (!this.#failures.has(one)) continue;
      const read = readModelError(one);
      return read === one ? error : read;
    }
    return error;
  }
}
