import type { Tracer } from "#tracing";

/** An earlier message of the conversation. */
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

/** A question that a graph asks a person with `interrupt()`. */
export interface Question {
  /** LangGraph's interrupt id, unique for each question. */
  id: string;
  kind: string;
  value: unknown;
  /** The JSON Schema of the answer; null accepts anything. */
  schema: unknown;
  /** Time left to answer, in milliseconds; null means no deadline. */
  deadlineMs: number | null;
  /** The answer used after the deadline. Without it the job fails then. */
  default?: unknown;
}

/** How a run ended: finished with the graph's last state, or waiting for a person. */
export type Ending<Output> = { waits: false; output: Output } | { waits: true; questions: Question[] };

/** The tokens of one model call. */
export interface ModelUse {
  /** The model as `provider:name`, in the form of `MODEL`; null when the provider does not report it. */
  model: string | null;
  inputTokens: number;
  outputTokens: number;
}

/** An event of a running turn. A step of a subgraph carries the names of its parent steps: `team/write`. */
export type TurnEvent =
  /** A node finished. */
  | { type: "step"; data: { step: string } }
  /** The next piece of a text. Models may stream at once: `message` is the model's message, null when a node wrote it. */
  | { type: "token"; data: { text: string; step: string | null; message: string | null } }
  /** A node started, finished or failed. */
  | { type: "task"; data: { id: string; step: string; state: "started" | "finished" | "failed" } }
  /** Data that a node wrote to its stream writer. */
  | { type: "custom"; data: unknown }
  /** The run waits for a person. */
  | { type: "interrupt"; data: { id: string | null; value: unknown }[] };

export interface TurnOptions {
  /** The same for every attempt of one turn. A retry resumes by it. */
  runId: string;
  signal: AbortSignal;
  /** Aborting it stops the run after the current step. The run then rejects with `DrainedError`. */
  drain?: AbortSignal;
  /** People's answers so far, by question id. */
  answers?: ReadonlyMap<string, unknown>;
  /** Starts the turn at an earlier point of the thread; absent continues from the thread's end. */
  branch?: Branch;
  /** Called with a node's name once the node has finished. */
  onStep?: (step: string) => void;
  onEvent?: (event: TurnEvent) => void;
  /** Called for each model answer that reports its tokens. */
  onUse?: (use: ModelUse) => void;
  /** Absent when tracing is off. */
  tracer?: Tracer | undefined;
}

export interface Branch {
  /** The checkpoint to start at; null starts with an empty state and the messages of `readPast`. */
  checkpointId: string | null;
  /** Reads the branch's earlier messages, oldest first. Called only when there is no checkpoint to start at. */
  readPast: () => Promise<readonly PastMessage[]>;
}
