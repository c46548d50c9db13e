import type { Budget } from "#shared/usage";
import type { MessageRole, MultitaskStrategy } from "#shared/contracts";

export interface NewTurn {
  ownerId: string;
  content: string;
  /** An unknown id starts a thread with that id; without one, a thread with a new id starts. */
  threadId?: string | undefined;
  idempotencyKey?: string | undefined;
  priority?: number | undefined;
  jobType?: string | undefined;
  maxRetries?: number | undefined;
  /** Messages that seed a new thread, oldest first; ignored in an existing thread. */
  history?: readonly { role: MessageRole; content: string }[];
  /** The registered graph to run instead of a job type; the thread's own graph unless given. */
  graph?: string | undefined;
  /** How to treat the thread's unfinished jobs; `enqueue` unless given. */
  multitaskStrategy?: MultitaskStrategy | undefined;
  /** The reply after which to branch, or the user's message to replace in a new branch. */
  parentId?: string | undefined;
  budget?: Budget | undefined;
  traceContext?: Readonly<Record<string, string>> | undefined;
}
