/**
 * The chat models of OpenAI, Anthropic and Ollama: opens them, streams their answers, maps their failures.
 * This folder must not know graphs or prompts.
 * Invariant: a model's client never retries, because the queue does.
 */
import { MODEL_FAULT, MODEL_PATTERN } from "#shared/model-providers";
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

/** The longest wait for the start of an answer. */
const TIMEOUT_MS = 60_000;

/**
 * Opens the chat model named `provider:name`. Loads the provider's package on first use.
 * @throws Error naming MODEL when the provider is unknown.
 */
export async function openModel(spec: string, options: ModelOptions): Promise<ChatModel> {
  const [, provider, model] = MODEL_PATTERN.exec(spec) ?? [];
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
  throw new Error(`MODEL ${MODEL_FAULT}`);
}

/** Reads a refusal before Ollama's client, which drops the headers. */
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
