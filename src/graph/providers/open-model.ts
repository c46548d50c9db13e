import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { readModelError } from "./read-model-error.ts";

export type ChatModel = BaseChatModel;

export interface ModelOptions {
  openaiApiKey?: string | undefined;
  openaiBaseUrl?: string | undefined;
  anthropicApiKey?: string | undefined;
  anthropicBaseUrl?: string | undefined;
  ollamaBaseUrl?: string | undefined;
}

/** How long a provider may take to begin its answer, in milliseconds. */
const TIMEOUT_MS = 60_000;

/**
 * Opens the chat model that `provider:name` says; the provider's package is loaded only now. The client does not retry: the queue does.
 * @throws Error naming MODEL when the provider is unknown.
 */
export async function openModel(spec: string, options: ModelOptions): Promise<ChatModel> {
  const [, provider, model] = /^(openai|anthropic|ollama):(.+)$/.exec(spec) ?? [];
  if (provider === "openai" && model) {
    const { ChatOpenAI } = await import("@langchain/openai");
    return new ChatOpenAI({
      model,
      maxRetries: 0,
      timeout: TIMEOUT_MS,
      apiKey: options.openaiApiKey ?? "unset",
      ...(options.openaiBaseUrl !== undefined && { configuration: { baseURL: options.openaiBaseUrl } }),
    });
  }
  if (provider === "anthropic" && model) {
    const { ChatAnthropic } = await import("@langchain/anthropic");
    return new ChatAnthropic({
      model,
      maxRetries: 0,
      apiKey: options.anthropicApiKey ?? "unset",
      clientOptions: { timeout: TIMEOUT_MS },
      ...(options.anthropicBaseUrl !== undefined && { anthropicApiUrl: options.anthropicBaseUrl }),
    });
  }
  if (provider === "ollama" && model) {
    const { ChatOllama } = await import("@langchain/ollama");
    return new ChatOllama({
      model,
      maxRetries: 0,
      fetch: fetchOrExplain,
      ...(options.ollamaBaseUrl !== undefined && { baseUrl: options.ollamaBaseUrl }),
    });
  }
  throw new Error("MODEL must be provider:name, where provider is openai, anthropic or ollama");
}

/** Ollama's client drops the headers of a refusal, so it is read before the client sees it. */
const fetchOrExplain: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (!response.ok) {
    const explained = readModelError({ status: response.status, headers: response.headers });
    if (explained instanceof Error) {
      await response.body?.cancel();
      throw explained;
    }
  }
  return response;
};
