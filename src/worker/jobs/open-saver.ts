import { holdsLease, LeaseLostError } from "#queue";
import type { Claim, Database } from "#queue";
import { FencedSaver } from "#checkpoint";
import type { Along } from "#checkpoint";
import type { Persist } from "../run/persist.ts";

export interface OpenSaverOptions {
  /** What the run has told and is not written yet. */
  takeAlong?: (() => Along | undefined) | undefined;
  /** Sends reads and writes again while the database is away; each is sent once unless given. */
  persist?: Persist | undefined;
  /** True for a graph whose steps have no effects outside it: they do not wait until the one before is stored. */
  behind?: boolean | undefined;
  /** Whether nothing of the thread can be stored yet. */
  fresh?: boolean | undefined;
}

const sendOnce: Persist = (work) => work();

/** What makes a saver for each claim, whose writes take effect only while that holds. */
export function saverOpener(db: Database): (claim: Claim, options?: OpenSaverOptions) => FencedSaver {
  return (claim, { takeAlong, persist = sendOnce, behind, fresh } = {}) =>
    new FencedSaver({
      call: (work) => persist(() => db.call(work)),
      behind,
      fresh,
      fence: {
        holds: (sql) => holdsLease(sql, claim),
        lost: () => new LeaseLostError(claim.jobId, claim.attempt),
        takeAlong,
      },
    });
}
