const FIRST_MS = 50;
const LONGEST_MS = 1_000;

/**
 * How long to wait before the next attempt to connect, in milliseconds: nothing after no failure, then a doubling delay
 * from 50 ms to 1 s. Half of it is random, so that processes that lost the same server do not return together.
 */
export function backoffMs(failureCount: number): number {
  if (failureCount <= 0) return 0;
  return (0.5 + Math.random() / 2) * Math.min(FIRST_MS * 2 ** (failureCount - 1), LONGEST_MS);
}

/** A connection that lasted shorter than this counts as one more failed attempt. */
export const STABLE_MS = LONGEST_MS;
