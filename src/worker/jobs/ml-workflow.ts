import { recordTurn } from "#conversation";
import { buildMlWorkflow } from "#graph";
import type { ChatModel } from "#graph";
import { chatPayloadSchema } from "#shared/contracts";
import { CHAT_JOB_TYPE } from "#shared/job-types";
import { defineJob } from "../define-job.ts";
import type { JobHandler } from "../define-job.ts";
import { checkReply, openSaver, openTurn, toJobError } from "./turn-job.ts";
import type { TurnJobOptions } from "./turn-job.ts";

export interface MlWorkflowOptions extends TurnJobOptions {
  /** Null runs the offline engine. */
  model: ChatModel | null;
}

/** The job type of the built-in graph; each job is one turn of a conversation that designs a machine-learning system. */
export function mlWorkflow({ model, ...options }: MlWorkflowOptions): JobHandler {
  return defineJob({
    type: CHAT_JOB_TYPE,
    payload: chatPayloadSchema,
    async run(context) {
      const turn = await openTurn(context, options);
      const saver = openSaver(context, { db: options.db, isFresh: turn.isFresh, isWriteBehind: true });
      const graph = buildMlWorkflow({ checkpointer: saver, model });
      const { reply, title, version } = await graph.runTurn(turn.input, turn.options).catch(async (error: unknown) => {
        // The next attempt resumes from the last stored step.
        await saver.flush();
        throw toJobError(error);
      });
      // A model's answer costs money and is committed at once. The offline engine's work is cheap to repeat.
      if (model) await saver.flush();
      const store = await saver.takeRest();
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
