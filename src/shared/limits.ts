/** The most characters one chat message may have. */
export const MAX_CONTENT_CHARS = 32_000;
/** The most bytes of a request body, and so of a job's payload (1 MiB). */
export const MAX_BODY_BYTES = 1_048_576;
/** The range of PostgreSQL's `integer`, the type of a priority. */
export const INT32_MIN = -2_147_483_648;
export const INT32_MAX = 2_147_483_647;
/** The default retries of a job: at most four executions. */
export const DEFAULT_MAX_RETRIES = 3;
/** The default crashes that a job survives: the fourth makes it a dead letter. */
export const DEFAULT_MAX_CRASHES = 3;
/** After this many crashes a job runs alone in a child process. */
export const CRASHES_BEFORE_QUARANTINE = 2;
/** The queue of jobs whose submitter names none. */
export const DEFAULT_QUEUE = "default";
/** The most jobs of one batch. */
export const MAX_BATCH_JOBS = 10_000;
/** The most distinct threads and limited keys, counted together, of one batch. */
export const MAX_BATCH_LOCKS = 1_000;

/** The most bytes of one event's data as JSON (256 KiB); larger data is replaced by a note. */
export const MAX_EVENT_BYTES = 262_144;
/** The most bytes of a page of an event log (1 MiB), which bounds a reader's memory; a page has at least one event. */
export const MAX_EVENT_PAGE_BYTES = 1_048_576;
/** The most bytes of a reply (1 MiB); a longer one fails its job. */
export const MAX_REPLY_BYTES = 1_048_576;
/** The most bytes of a job's result as JSON (8 MiB); a larger one fails its job. */
export const MAX_RESULT_BYTES = 8_388_608;
/** The most bytes of messages in a page of `threads.get` (2 MiB); a page has at least one message. */
export const MAX_THREAD_PAGE_BYTES = 2_097_152;
/** The longest that a reader of an event stream may read nothing before it is disconnected, in milliseconds. */
export const STALLED_READER_MS = 30_000;
