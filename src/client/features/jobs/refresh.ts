import type { JobCounts } from "#shared/contracts";

const BUSY_MS = 1_500;
const CALM_MS = 5_000;

/** How often the list of jobs is asked for, in milliseconds: often while anything is under way. */
export function refreshMs(counts: JobCounts | undefined): number {
  return counts === undefined || counts.queued + counts.running > 0 ? BUSY_MS : CALM_MS;
}
