import type { AIMessageChunk, BaseMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import type { ChatModel } from "./open-model.ts";
import { readModelError } from "./read-model-error.ts";

export interface AskOptions {
  config: RunnableConfig;
  /** How long the model may be silent between two parts of its answer, in milliseconds. */
  idleMs: number;
}

/**
 * Asks a model and streams its answer through the config's callbacks.
 * @throws PermanentGraphError, RateLimitedGraphError, or an error that is worth another try: the connection broke, the
 * answer ended early, or the model was silent for too long.
 */
export async function askModel(
  model: ChatModel,
  messages: readonly BaseMessage[],
  { config, idleMs }: AskOptions,
): Promise<string> {
  const idle = new AbortController();
  const signal = config.signal ? AbortSignal.any([config.signal, idle.signal]) : idle.signal;
  let timer: NodeJS.Timeout | undefined;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => idle.abort(new Error(`The model was silent for ${idleMs} ms`)), idleMs);
  };
  try {
    listen();
    const stream = model.stream([...messages], { ...config, signal });
    const answer = await collect(stream, listen);
    if (!answer || !hasEnded(answer)) throw new Error("The model's answer ended early");
    return answer.text;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw readModelError(error);
  } finally {
    clearTimeout(timer);
  }
}

async function collect(
  stream: Promise<AsyncIterable<AIMessageChunk>>,
  onPart: () => void,
): Promise<AIMessageChunk | null> {
  let whole: AIMessageChunk | null = null;
  for await (const part of await stream) {
    onPart();
    whole = whole ? whole.concat(part) : part;
  }
  return whole;
}

/** Each provider says why it stopped; without that the stream was cut. */
function hasEnded(answer: AIMessageChunk): boolean {
  const said = { ...answer.additional_kwargs, ...answer.response_metadata } as Record<string, unknown>;
  return Boolean(said["finish_reason"] ?? said["stop_reason"] ?? said["done_reason"] ?? said["done"]);
}
