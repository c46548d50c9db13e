import type { Usage } from "./ask-model.ts";
import type { Design } from "./engine/design.ts";

export interface TurnInput {
  threadId: string;
  messageId: string;
  content: string;
  /** Messages that seed a new thread, oldest first. */
  history: readonly { id: string; role: "user" | "assistant" | "system" | "tool"; content: string }[];
}

export interface TurnOutput {
  /** The reply as Markdown. */
  reply: string;
  title: string | null;
  /** Null where the turn designed nothing new. */
  version: Omit<Design, "title"> | null;
  /** Null where no model was asked, or it does not say. */
  usage: Usage | null;
}

/** What a run tells while it runs, in order. */
export type TurnEvent =
  /** A node has finished. */
  | { type: "step"; data: { step: string } }
  /** The next piece of the reply's text. */
  | { type: "token"; data: { text: string; step: string | null } }
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
  /** Once aborted, the run stops after the step that is under way, and `runTurn` rejects with `DrainedError`. */
  drain?: AbortSignal;
  /** Called with a node's name when it has finished. */
  onStep?: (step: string) => void;
  onEvent?: (event: TurnEvent) => void;
}
