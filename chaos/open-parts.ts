import { Database } from "#db";
import { mlWorkflow } from "#worker";
import type { JobHandler, TurnJobOptions } from "#worker";
import { graphJobs } from "./graphs.ts";
import { chaosHandlers } from "./job-types.ts";
import { noteRuns } from "./noted-runs.ts";

/** What a chaos worker and the process of a job that runs alone have in common. */
export interface Parts {
  db: Database;
  handlers: JobHandler[];
  retry: { baseMs: number; capMs: number };
  leaseMs: number;
  defaultTimeoutMs: number;
}

/** Opens it for a worker. Its connections bear the worker's id: what it stores is known as its own. */
export function openParts(workerId: string): Parts {
  const { DATABASE_URL: url = "", CHAOS_HISTORY: historyFolder = "" } = process.env;
  const db = new Database({ url, maxConnections: 3, avoidTableScans: true, applicationName: workerId });
  const turns: TurnJobOptions = { db, price: null };
  return {
    db,
    handlers: noteRuns(
      [...chaosHandlers(), mlWorkflow({ ...turns, model: null }), ...graphJobs(db, turns)],
      historyFolder,
    ),
    retry: { baseMs: 20, capMs: 200 },
    leaseMs: 1_500,
    defaultTimeoutMs: 20_000,
  };
}
