/**
 * LangGraph graphs: the built-in offline engine, the graphs of a `langgraph.json` and the model providers.
 * This layer runs one turn of a graph. It must never know jobs or SQL.
 * Invariant: running a turn again with the same ids resumes it and adds its message once.
 */
export { DrainedError, PermanentGraphError, RateLimitedGraphError } from "./errors.ts";
export { loadGraphs, readGraphEnv, wrapGraph } from "./load-graphs.ts";
export type { BrokenGraph, LoadedGraph } from "./load-graphs.ts";
export { buildMlWorkflow } from "./designer/ml-workflow.ts";
export type { TurnOutput } from "./designer/ml-workflow.ts";
export { openModel } from "./providers/open-model.ts";
export type { ChatModel } from "./providers/open-model.ts";
export type { Branch, Ending, ModelUse, Question, TurnEvent, TurnInput, TurnOptions } from "./turn.ts";
