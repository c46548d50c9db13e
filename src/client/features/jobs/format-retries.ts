import type { JobRow } from "#shared/contracts";

/** How much of its retries and crashes a job has used, such as `1/3 · 2 crashes`. */
export function formatRetries({ retryCount, maxRetries, crashCount }: Tries): string {
  const retries = `${retryCount}/${maxRetries}`;
  if (crashCount === 0) return retries;
  return `${retries} · ${crashCount} ${crashCount === 1 ? "crash" : "crashes"}`;
}

/** The same in words. */
export function describeRetries({ retryCount, maxRetries, crashCount, maxCrashes }: Tries): string {
  return `${retryCount} of ${maxRetries} retries used, ${crashCount} of ${maxCrashes} crashes`;
}

type Tries = Pick<JobRow, "retryCount" | "maxRetries" | "crashCount" | "maxCrashes">;
