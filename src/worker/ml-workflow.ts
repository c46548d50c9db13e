import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { buildMlWorkflow, DrainedError, PermanentGraphError, RateLimitedGraphError } from "#graph";
import type { ChatModel, TurnEvent } from "#graph";
import { recordTurn } from "#queue";
import type { Claim } from "#queue";
import { chatPayloadSchema } from "#shared/contracts";
import { CHAT_JOB_TYPE } from "#shared/limits";
import { defineJob } from "./define-job.ts";
import type { JobHandler } from "./define-job.ts";
import { PermanentError, RetryAfterError, ShutdownError } from "./errors.ts";

export interface MlWorkflowOptions {
  /** Null runs the built-in offline engine. */
  model: ChatModel | null;
  /** A checkpoint saver whose writes take effect only while the claim holds. */
  openSaver: (claim: Claim) => BaseCheckpointSaver;
}

/** The chat job type: one turn of a conversation that designs a machine-learning system. */
export function mlWorkflow({ model, openSaver }: MlWorkflowOptions): JobHandler {
  return defineJob({
    type: CHAT_JOB_TYPE,
    payload: chatPayloadSchema,
    async run({ job, payload, signal, drain, progress, emit }) {
      const { threadId, decisionSetId } = job;
      if (threadId === null || decisionSetId === null)
        throw new PermanentError(`${CHAT_JOB_TYPE} jobs belong to a thread: submit them with chat.submit`);
      const graph = buildMlWorkflow({ checkpointer: openSaver(job), model });
      const output = await graph
        .runTurn(
          { threadId, messageId: payload.messageId, content: payload.content, history: payload.history ?? [] },
          {
            runId: job.jobId,
            signal,
            drain,
            onStep: (step) => progress(step),
            onEvent: (event) => emitTurn(emit, event),
          },
        )
        .catch((error: unknown) => {
          throw toJobError(error);
        });
      return {
        result: { title: output.title },
        effects: (tx, claim) => recordTurn(tx, claim, { decisionSetId, reply: output.reply, version: output.version }),
      };
    },
  });
}

/** What a run tells, as events of its job; steps are told of as progress. */
function emitTurn(emit: (type: string, data: unknown) => void, event: TurnEvent): void {
  if (event.type !== "step") emit(event.type, event.data);
}

/** What a failure of the graph means for its job. */
function toJobError(error: unknown): unknown {
  if (error instanceof DrainedError) return new ShutdownError(error.message, { cause: error });
  if (error instanceof PermanentGraphError) return new PermanentError(error.message, { cause: error });
  if (error instanceof RateLimitedGraphError && error.retryAfterMs !== null)
    return new RetryAfterError(error.message, error.retryAfterMs, { cause: error });
  return error;
}
