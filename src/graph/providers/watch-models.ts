import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import type { LLMResult } from "@langchain/core/outputs";
import type { Callback } from "./callback.ts";
import { readModelError } from "./read-model-error.ts";
import { readUse } from "./read-use.ts";
import type { ModelUse } from "../turn.ts";

/** Hears of each call of a model in a run, whichever node makes it: what it used, or how it failed. */
export class ModelWatch extends BaseCallbackHandler {
  override readonly name = "threadmill_models";
  // A budget must stop the run before its next step.
  override awaitHandlers = true;
  readonly #onUse: ((use: ModelUse) => void) | undefined;
  readonly #failures = new WeakSet();
  /** Which model each call asks that is under way, by the call's id; those that do not say are not in it. */
  readonly #asked = new Map<string, string>();

  constructor(onUse: ((use: ModelUse) => void) | undefined) {
    super();
    this.#onUse = onUse;
  }

  override handleChatModelStart(...[, , runId, , , , metadata = {}]: Callback<"handleChatModelStart">): void {
    this.#note(runId, metadata);
  }

  override handleLLMStart(...[, , runId, , , , metadata = {}]: Callback<"handleLLMStart">): void {
    this.#note(runId, metadata);
  }

  override handleLLMEnd(result: LLMResult, runId: string): void {
    const model = this.#asked.get(runId) ?? null;
    this.#asked.delete(runId);
    for (const use of readUse(result)) this.#onUse?.({ ...use, model });
  }

  override handleLLMError(error: unknown, runId: string): void {
    this.#asked.delete(runId);
    if (typeof error === "object" && error !== null) this.#failures.add(error);
  }

  #note(runId: string, { ls_provider: provider, ls_model_name: name }: Record<string, unknown>): void {
    if (typeof provider === "string" && typeof name === "string") this.#asked.set(runId, `${provider}:${name}`);
  }

  /** What an error means that ended the run, where it is a model's or was caused by one; any other as it is. */
  explain(error: unknown): unknown {
    for (let one = error; one instanceof Error; one = one.cause) {
      if (!this.#failures.has(one)) continue;
      const read = readModelError(one);
      return read === one ? error : read;
    }
    return error;
  }
}
