// violates: layers/cross-layer
import { JOB_STATUSES } from "#shared/job-states";
export const statuses = JOB_STATUSES;
