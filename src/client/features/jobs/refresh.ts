import type { JobCounts } from "#shared/contracts";

const BUSY_MS = 1_500;
const CALM_MS = 5_000;

/** The refresh interval of the jobs list, in milliseconds: shorter while jobs are queued or running. */
export function refreshMs(counts: JobCounts | undefined): number {
  return counts === undefined || counts.queued + counts.running > 0 ? BUSY_MS : CALM_MS;
}
