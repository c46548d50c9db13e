import { buildMlWorkflow } from "#graph";
import type { ChatModel } from "#graph";
import { recordTurn } from "#queue";
import { chatPayloadSchema } from "#shared/contracts";
import { CHAT_JOB_TYPE } from "#shared/limits";
import { defineJob } from "./define-job.ts";
import type { JobHandler } from "./define-job.ts";
import { storable } from "./storable.ts";
import { openTurn, toJobError } from "./turn-job.ts";
import type { TurnJobOptions } from "./turn-job.ts";

export interface MlWorkflowOptions extends TurnJobOptions {
  /** Null runs the built-in offline engine. */
  model: ChatModel | null;
}

/** The chat job type: one turn of a conversation that designs a machine-learning system. */
export function mlWorkflow({ model, ...options }: MlWorkflowOptions): JobHandler {
  return defineJob({
    type: CHAT_JOB_TYPE,
    payload: chatPayloadSchema,
    async run(context) {
      const turn = await openTurn(context, options);
      const saver = options.openSaver(context.job);
      const graph = buildMlWorkflow({ checkpointer: saver, model });
      const { reply, title, version } = await graph.runTurn(turn.input, turn.options).catch((error: unknown) => {
        throw toJobError(error);
      });
      const { decisionSetId } = turn;
      return {
        result: { title },
        effects: async (tx, claim) =>
          recordTurn(tx, claim, { decisionSetId, reply: storable(reply), version, checkpointId: saver.head }),
      };
    },
  });
}
