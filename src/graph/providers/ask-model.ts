import type { AIMessageChunk, BaseMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { ChatModel } from "./open-model.ts";
import { readModelError } from "./read-model-error.ts";

export interface AskOptions {
  config: RunnableConfig;
  /** The longest silence between two parts of the answer, in milliseconds. */
  idleMs: number;
}

/**
 * Asks a model and streams its answer through the config's callbacks.
 * @throws PermanentGraphError or RateLimitedGraphError. Any other error is worth a retry: the connection broke, the answer
 * ended early, or the model was silent for longer than `idleMs`.
 */
export async function askModel(
  model: ChatModel,
  messages: readonly BaseMessage[],
  { config, idleMs }: AskOptions,
): Promise<string> {
  const idle = new AbortController();
  const signal = config.signal ? AbortSignal.any([config.signal, idle.signal]) : idle.signal;
  let timer: NodeJS.Timeout | undefined;
  const restartTimer = () => {
    clearTimeout(timer);
    timer = setTimeout(() => idle.abort(new Error(`The model was silent for ${idleMs} ms`)), idleMs);
  };
  try {
    restartTimer();
    let answer: AIMessageChunk | undefined;
    for await (const part of await model.stream([...messages], { ...config, signal })) {
      restartTimer();
      answer = answer?.concat(part) ?? part;
    }
    if (!answer || !hasEnded(answer)) throw new Error("The model's answer ended early");
    return answer.text;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw readModelError(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Every provider reports why its answer ended. An answer without a reason was cut off. */
function hasEnded(answer: AIMessageChunk): boolean {
  const said = { ...answer.additional_kwargs, ...answer.response_metadata } as Record<string, unknown>;
  return Boolean(said["finish_reason"] ?? said["stop_reason"] ?? said["done_reason"] ?? said["done"]);
}
