import type { Database } from "#queue";
import type { Tracer } from "#tracing";
import type { Callers } from "./http/callers.ts";
import type { JobCounter } from "./live/job-counter.ts";
import type { JobFeeds } from "./live/job-feeds.ts";
import type { JobReads } from "./live/job-reads.ts";
import type { ErrorLog } from "./observe/error-log.ts";

/** The objects that all routes share; `app.ts` makes them once per process. */
export interface Services {
  db: Database;
  /** The same database over a separate pool, for reads that may be slow. */
  slowReads: Database;
  reads: JobReads;
  feeds: JobFeeds;
  counter: JobCounter;
  callers: Callers;
  errors: ErrorLog;
  ownerId: string;
  /** After this time the server closes an event stream whose reader takes no data. */
  stalledReaderMs: number;
  /** Absent when tracing is off. */
  tracer: Tracer | undefined;
}
