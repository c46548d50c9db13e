/**
 * LangGraph graphs and what they reason with. It owns how a turn is thought through; it must never know jobs or SQL.
 * Invariant: a turn that is run again with the same ids goes on where it was and adds its message once.
 */
export { DrainedError, PermanentGraphError, RateLimitedGraphError } from "./errors.ts";
export { loadGraphs, readGraphEnv, wrapGraph } from "./load-graphs.ts";
export type { BrokenGraph, LoadedGraph } from "./load-graphs.ts";
export { buildMlWorkflow } from "./designer/ml-workflow.ts";
export type { TurnOutput } from "./designer/ml-workflow.ts";
export { openModel } from "./providers/open-model.ts";
export type { ChatModel } from "./providers/open-model.ts";
export type { Branch, Ending, ModelUse, Question, TurnEvent, TurnInput, TurnOptions } from "./turn.ts";
