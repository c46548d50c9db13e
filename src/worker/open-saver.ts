import { FencedSaver } from "#checkpoint";
import { holdsLease, LeaseLostError } from "#queue";
import type { Claim, Database } from "#queue";

/** What makes a saver for each claim, whose writes take effect only while that holds. */
export function saverOpener(db: Database): (claim: Claim) => FencedSaver {
  return (claim) =>
    new FencedSaver({
      call: async (work) => db.call(work),
      fence: { holds: (sql) => holdsLease(sql, claim), lost: () => new LeaseLostError(claim.jobId, claim.attempt) },
    });
}
