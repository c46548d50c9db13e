import { recordTurn } from "#conversation";
import { buildMlWorkflow } from "#graph";
import type { ChatModel } from "#graph";
import { chatPayloadSchema } from "#shared/contracts";
import { CHAT_JOB_TYPE } from "#shared/limits";
import { defineJob } from "../define-job.ts";
import type { JobHandler } from "../define-job.ts";
import { checkReply, openSaver, openTurn, toJobError } from "./turn-job.ts";
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
      const saver = openSaver(context, { db: options.db, isFresh: turn.isFresh, isWriteBehind: true });
      const graph = buildMlWorkflow({ checkpointer: saver, model });
      const { reply, title, version } = await graph.runTurn(turn.input, turn.options).catch(async (error: unknown) => {
        // The next attempt goes on from there.
        await saver.settle();
        throw toJobError(error);
      });
      // What a model has said is worth a commit of its own; what the offline engine has, is thought again in no time.
      if (model) await saver.settle();
      const store = await saver.rest();
      const { decisionSetId } = turn;
      const checked = checkReply(reply);
      return {
        result: { title },
        async effects(tx, claim) {
          const turnResult = { decisionSetId, reply: checked, version, checkpointId: saver.head };
          await Promise.all([store(tx), recordTurn(tx, claim, turnResult)]);
        },
      };
    },
  });
}
