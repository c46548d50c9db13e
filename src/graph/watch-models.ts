import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import type { LLMResult } from "@langchain/core/outputs";
import { readModelError } from "./read-model-error.ts";
import { readUse } from "./read-use.ts";
import type { ModelUse } from "./turn.ts";

/** Hears of each call of a model in a run, whichever node makes it: what it used, or how it failed. */
export class ModelWatch extends BaseCallbackHandler {
  override readonly name = "threadmill_models";
  // A budget must stop the run before its next step.
  override awaitHandlers = true;
  readonly #onUse: ((use: ModelUse) => void) | undefined;
  readonly #failures = new WeakSet();

  constructor(onUse: ((use: ModelUse) => void) | undefined) {
    super();
    this.#onUse = onUse;
  }

  override handleLLMEnd(result: LLMResult): void {
    for (const use of readUse(result)) this.#onUse?.(use);
  }

  override handleLLMError(error: unknown): void {
    if (typeof error === "object" && error !== null) this.#failures.add(error);
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
