import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import type { LLMResult } from "@langchain/core/outputs";
import { isGraphBubbleUp } from "@langchain/langgraph";
import type { Attributes, Span, SpanOptions, Tracer } from "#tracing";
import { readUse } from "../providers/callbacks.ts";
import type { Callback } from "../providers/callbacks.ts";

interface Run {
  span: Span;
  /** False when the span belongs to an enclosing run. */
  own: boolean;
}

const HIDDEN = "langsmith:hidden";
const NODE_TAG = /^graph:step:/;
const SUBGRAPH = "LangGraph";

/** Makes a span for each node, subgraph, model call and tool call. Spans never carry message content. */
export class SpanHandler extends BaseCallbackHandler {
  override readonly name = "threadmill_spans";
  // A span must exist before the code inside it asks for it.
  override awaitHandlers = true;
  readonly #tracer: Tracer;
  readonly #root: Span;
  readonly #runs = new Map<string, Run>();

  constructor(tracer: Tracer, root: Span) {
    super();
    this.#tracer = tracer;
    this.#root = root;
  }

  /** The span of a run or of its nearest enclosing run; undefined for a run outside this graph. */
  spanOf(runId: string | undefined): Span | undefined {
    return runId === undefined ? undefined : this.#runs.get(runId)?.span;
  }

  /** Ends the spans of aborted runs: LangChain reports no end for them. */
  close(): void {
    for (const runId of this.#runs.keys()) this.#end(runId, { "threadmill.cut_off": true });
  }

  // LangChain passes the parent fourth and the name eighth, although its types name them otherwise.
  override handleChainStart(...[, , runId, parentId, tags = [], metadata = {}, , name]: Callback<"handleChainStart">) {
    const shown = !tags.includes(HIDDEN);
    if (shown && parentId !== undefined && tags.some((tag) => NODE_TAG.test(tag)))
      this.#start([runId, parentId], `node ${name}`, {
        attributes: { "threadmill.node": name, "threadmill.step": asNumber(metadata["langgraph_step"]) },
      });
    else if (shown && parentId !== undefined && name === SUBGRAPH) this.#start([runId, parentId], "graph");
    else this.#runs.set(runId, { span: this.spanOf(parentId) ?? this.#root, own: false });
  }

  override handleChainEnd(...[, runId]: Callback<"handleChainEnd">) {
    this.#end(runId);
  }

  override handleChainError(...[error, runId]: Callback<"handleChainError">) {
    // An interrupt, a drain or a command to the parent graph is not a failure.
    if (isGraphBubbleUp(error as Error)) this.#end(runId, { "threadmill.node.outcome": "interrupted" });
    else this.#fail(runId, error);
  }

  override handleChatModelStart(...[, , runId, parentId, , , metadata = {}]: Callback<"handleChatModelStart">) {
    this.#startModel([runId, parentId], metadata);
  }

  override handleLLMStart(...[, , runId, parentId, , , metadata = {}]: Callback<"handleLLMStart">) {
    this.#startModel([runId, parentId], metadata);
  }

  override handleLLMEnd(result: LLMResult, runId: string) {
    const [used] = readUse(result);
    this.#end(
      runId,
      used && { "gen_ai.usage.input_tokens": used.inputTokens, "gen_ai.usage.output_tokens": used.outputTokens },
    );
  }

  override handleLLMError(...[error, runId]: Callback<"handleLLMError">) {
    this.#fail(runId, error);
  }

  override handleToolStart(...[, , runId, parentId, , , name]: Callback<"handleToolStart">) {
    this.#start([runId, parentId], `execute_tool ${name ?? "tool"}`, {
      attributes: { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name },
    });
  }

  override handleToolEnd(...[, runId]: Callback<"handleToolEnd">) {
    this.#end(runId);
  }

  override handleToolError(...[error, runId]: Callback<"handleToolError">) {
    if (isGraphBubbleUp(error as Error)) this.#end(runId);
    else this.#fail(runId, error);
  }

  /** @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ */
  #startModel(ids: readonly [string, string | undefined], metadata: Record<string, unknown>): void {
    const model = asText(metadata["ls_model_name"]);
    this.#start(ids, model === undefined ? "chat" : `chat ${model}`, {
      kind: "client",
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": asText(metadata["ls_provider"]),
        "gen_ai.request.model": model,
      },
    });
  }

  #start([runId, parentId]: readonly [string, string | undefined], name: string, options: SpanOptions = {}): void {
    const span = this.#tracer.start(name, { ...options, parent: this.spanOf(parentId) ?? this.#root });
    this.#runs.set(runId, { span, own: true });
  }

  #fail(runId: string, error: unknown): void {
    const run = this.#runs.get(runId);
    if (run?.own) run.span.fail(error);
    this.#end(runId);
  }

  #end(runId: string, attributes: Attributes = {}): void {
    const run = this.#runs.get(runId);
    this.#runs.delete(runId);
    if (!run?.own) return;
    run.span.set(attributes);
    run.span.end();
  }
}

const asText = (value: unknown) => (typeof value === "string" ? value : undefined);
const asNumber = (value: unknown) => (typeof value === "number" ? value : undefined);
