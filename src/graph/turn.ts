import type { Tracer } from "#tracing";

/** One message of a turn's past. */
export interface PastMessage {
  id: string;
  role: "user" | "assistant" | "system" | "tool";
  content: string;
}

export interface TurnInput {
  threadId: string;
  messageId: string;
  content: string;
  /** Messages that seed a new thread, oldest first. */
  history: readonly PastMessage[];
}

/** A question that a graph puts to a person with `interrupt()`. */
export interface Question {
  /** LangGraph's id of it, another for each question. */
  id: string;
  kind: string;
  value: unknown;
  /** The JSON Schema of the answer; null takes anything. */
  schema: unknown;
  /** How long from now it may be answered, in milliseconds; null for ever. */
  deadlineMs: number | null;
  /** What counts as the answer after that; absent where the job then fails. */
  default?: unknown;
}

/** How a run ended: with the graph's last state, or waiting for a person. */
export type Ending<Output> = { waits: false; output: Output } | { waits: true; questions: Question[] };

/** What one call of a model has used. */
export interface ModelUse {
  /** The model that was asked, as `MODEL` names it: `provider:name`; null where it does not say. */
  model: string | null;
  inputTokens: number;
  outputTokens: number;
}

/** What a run tells while it runs, in order. A step of a subgraph is named after those that lead to it: `team/write`. */
export type TurnEvent =
  /** A node has finished. */
  | { type: "step"; data: { step: string } }
  /** The next piece of a text; `message` tells those apart that a model writes at once, null for what no model wrote. */
  | { type: "token"; data: { text: string; step: string | null; message: string | null } }
  /** A node has started, finished or failed. */
  | { type: "task"; data: { id: string; step: string; state: "started" | "finished" | "failed" } }
  /** What a node wrote to its stream writer. */
  | { type: "custom"; data: unknown }
  /** The run waits for a person. */
  | { type: "interrupt"; data: { id: string | null; value: unknown }[] };

export interface TurnOptions {
  /** The same for every attempt of one turn, so that a retry resumes. */
  runId: string;
  signal: AbortSignal;
  /** Once aborted, the run stops after the step that is under way, and rejects with `DrainedError`. */
  drain?: AbortSignal;
  /** What people have answered so far, by the questions' ids. */
  answers?: ReadonlyMap<string, unknown>;
  /** Begins the turn elsewhere than where the thread's last one ended. */
  branch?: Branch;
  /** Called with a node's name when it has finished. */
  onStep?: (step: string) => void;
  onEvent?: (event: TurnEvent) => void;
  /** Called when a model has answered. */
  onUse?: (use: ModelUse) => void;
  /** What the run's parts are traced with; absent where nothing is traced. */
  tracer?: Tracer | undefined;
}

export interface Branch {
  /** Where to begin; null begins without a past, which is then given as messages. */
  checkpointId: string | null;
  /** What was said before on this branch, oldest first; asked for where there is no checkpoint to begin at. */
  readPast: () => Promise<readonly PastMessage[]>;
}
