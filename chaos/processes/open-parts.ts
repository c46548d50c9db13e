import { Database } from "#db";
import { mlWorkflow } from "#worker";
import type { JobHandler, TurnJobOptions } from "#worker";
import { graphJobs } from "../jobs/graphs.ts";
import { chaosHandlers } from "../jobs/job-types.ts";
import { recordRuns } from "../jobs/record-runs.ts";

/** The common parts of a chaos worker and its quarantine processes. */
export interface Parts {
  db: Database;
  handlers: JobHandler[];
  retry: { baseMs: number; capMs: number };
  leaseMs: number;
  defaultTimeoutMs: number;
}

/** Opens the parts of a worker. The `application_name` is the worker's id, which identifies its writes. */
export function openParts(workerId: string): Parts {
  const { DATABASE_URL: url = "", CHAOS_HISTORY: historyFolder = "" } = process.env;
  const db = new Database({ url, maxConnections: 3, avoidTableScans: true, applicationName: workerId });
  const turns: TurnJobOptions = { db, price: null };
  return {
    db,
    handlers: recordRuns(
      [...chaosHandlers(), mlWorkflow({ ...turns, model: null }), ...graphJobs(db, turns)],
      historyFolder,
    ),
    retry: { baseMs: 20, capMs: 200 },
    leaseMs: 1_500,
    defaultTimeoutMs: 20_000,
  };
}
