import { graphJobType, recordTurn } from "#conversation";
import type { LoadedGraph } from "#graph";
import { chatPayloadSchema } from "#shared/contracts";
import { defineJob } from "../define-job.ts";
import type { JobHandler } from "../define-job.ts";
import { WaitError } from "../errors.ts";
import { storable } from "../run/storable.ts";
import { checkReply, openSaver, openTurn, toJobError } from "./turn-job.ts";
import type { TurnJobOptions } from "./turn-job.ts";

/** The job type of a user's graph; each job is one turn of a conversation with it. */
export function graphJob({ name, description, runTurn }: LoadedGraph, options: TurnJobOptions): JobHandler {
  const handler = defineJob({
    type: graphJobType(name),
    payload: chatPayloadSchema,
    async run(context) {
      const { input, options: turnOptions, decisionSetId, isFresh } = await openTurn(context, options);
      const saver = openSaver(context, { db: options.db, isFresh });
      const ending = await runTurn(saver, input, turnOptions).catch((error: unknown) => {
        throw toJobError(error);
      });
      if (ending.waits) throw new WaitError(storable(ending.questions));
      const reply = checkReply(ending.output.reply);
      return {
        effects: async (tx, claim) =>
          recordTurn(tx, claim, { decisionSetId, reply, version: null, checkpointId: saver.head }),
      };
    },
  });
  return description === null ? handler : { ...handler, description };
}
