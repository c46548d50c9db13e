const FIRST_MS = 50;
const LONGEST_MS = 1_000;

/**
 * Milliseconds to wait before the next attempt to connect: 0 without a failure, then a doubling delay from 50 ms to 1 s.
 * Half of it is random, because processes that lost the same server must not return together.
 */
export function backoffMs(failureCount: number): number {
  if (failureCount <= 0) return 0;
  return (0.5 + Math.random() / 2) * Math.min(FIRST_MS * 2 ** (failureCount - 1), LONGEST_MS);
}

/** A connection that lasted for less time counts as a failed attempt. */
export const STABLE_MS = LONGEST_MS;
