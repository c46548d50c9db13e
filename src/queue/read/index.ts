/** Reads jobs for people and for metrics; changes nothing. */
export { getJob, getJobStatus, getJobStatuses } from "./get-job.ts";
export type { ReplyColumn } from "./get-job.ts";
export { addUsage, detailColumns, jobColumns, toStatusView, usagesOf } from "./job-view.ts";
export type { DetailColumns, JobColumns } from "./job-view.ts";
export { countJobs, listJobs } from "./list-jobs.ts";
export { listDeadLetters } from "./dead-letters.ts";
export { measureQueues } from "./measure-queues.ts";
export type { FleetFigures } from "./measure-queues.ts";
export { readSpent } from "./read-spent.ts";
export { readTrace } from "./read-trace.ts";
export { survey } from "./survey.ts";
export type { Survey } from "./survey.ts";
