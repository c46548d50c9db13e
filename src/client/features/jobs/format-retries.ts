import type { JobRow } from "#shared/contracts";

/** The retries and crashes that a job has used: `1/3 · 2 crashes`. */
export function formatRetries({ retryCount, maxRetries, crashCount }: Tries): string {
  const retries = `${retryCount}/${maxRetries}`;
  if (crashCount === 0) return retries;
  return `${retries} · ${crashCount} ${crashCount === 1 ? "crash" : "crashes"}`;
}

/** The used retries and crashes with their limits, in words. */
export function describeRetries({ retryCount, maxRetries, crashCount, maxCrashes }: Tries): string {
  return `${retryCount} of ${maxRetries} retries used, ${crashCount} of ${maxCrashes} crashes`;
}

type Tries = Pick<JobRow, "retryCount" | "maxRetries" | "crashCount" | "maxCrashes">;
