// violates: layers/cross-layer
export { JOB_STATUSES } from "../shared/job-states.ts";
