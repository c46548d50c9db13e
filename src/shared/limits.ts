/** The most characters one chat message may have. */
export const MAX_CONTENT_CHARS = 32_000;
/** The most bytes a request body, and so a job's payload, may have (1 MiB). */
export const MAX_BODY_BYTES = 1_048_576;
/** The range of a PostgreSQL `integer`, which is what a priority is stored as. */
export const INT32_MIN = -2_147_483_648;
export const INT32_MAX = 2_147_483_647;
/** Retries a job gets unless its submitter says otherwise: at most four executions. */
export const DEFAULT_MAX_RETRIES = 3;
/** Crashes a job survives unless its submitter says otherwise: the fourth makes a dead letter. */
export const DEFAULT_MAX_CRASHES = 3;
/** From this many crashes on a job runs alone in a process of its own. */
export const CRASHES_BEFORE_QUARANTINE = 2;
/** The job type of a chat turn, and the queue that jobs go to unless told otherwise. */
export const CHAT_JOB_TYPE = "ml_workflow";
/** The job type that writes a conversation as a document. */
export const EXPORT_JOB_TYPE = "export_thread";
export const DEFAULT_QUEUE = "default";
/** The most jobs one batch may have, and the most different threads and limited keys among them. */
export const MAX_BATCH_JOBS = 10_000;
export const MAX_BATCH_LOCKS = 1_000;

/** The most bytes the data of one event may have as JSON (256 KiB); larger data is replaced by a note that says so. */
export const MAX_EVENT_BYTES = 262_144;
/** The most bytes a page of an event log has (1 MiB), which is what a reader may hold in memory; one event at least. */
export const MAX_EVENT_PAGE_BYTES = 1_048_576;
/** The most bytes a reply may have (1 MiB); a longer one fails its job. */
export const MAX_REPLY_BYTES = 1_048_576;
/** The most bytes a job's result may have as JSON (8 MiB); a larger one fails its job. */
export const MAX_RESULT_BYTES = 8_388_608;
/** The most bytes of messages that `threads.get` returns (2 MiB), newest first; one message at least. */
export const MAX_THREAD_PAGE_BYTES = 2_097_152;
/** How long an event stream's reader may take nothing of what waits for it, in milliseconds, before it is cut. */
export const STALLED_READER_MS = 30_000;
