import { DatabaseUnavailableError, together } from "#queue";
import type { Claim, Database } from "#queue";
import { complete } from "#queue/settle";
import type { Ending } from "#queue/settle";
import { faultPoint } from "#fault";
import type { RunResult } from "../define-job.ts";

interface Effects {
  ending: Ending;
  effects: NonNullable<RunResult["effects"]>;
}

/**
 * Completes a job and writes its effects, in one transaction. The effects are sent before it is known whether the attempt
 * still owns the job, and are rolled back where it does not: that saves the ways to the server in which nothing is done.
 * @throws LeaseLostError when the attempt no longer owns the job; what the effects throw; nothing is written then.
 */
export async function writeEffects(db: Database, claim: Claim, { ending, effects }: Effects): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      faultPoint("before completing");
      const [isEnded] = await together([complete(tx, claim, ending), effects(tx, claim)]);
      if (!isEnded) throw new Error("an earlier call has written them");
      faultPoint("before the completion commits");
    });
  } catch (error) {
    if (error instanceof DatabaseUnavailableError) throw error;
    // One after the other tells what is at fault, or that all of it was written before, by a call whose answer was lost.
    await db.transaction(async (tx) => {
      if (await complete(tx, claim, ending)) await effects(tx, claim);
    });
  }
}
