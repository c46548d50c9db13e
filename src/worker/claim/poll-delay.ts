export interface PollBounds {
  minMs: number;
  maxMs: number;
}

/**
 * How long an idle worker waits before it looks again, in milliseconds: doubling from the least to the most, with up
 * to half of it taken off at random so that a fleet does not look in step. NOTIFY ends the wait early.
 * @param emptyPolls how many looks in a row found nothing, from 0.
 * @param random a number from 0 up to 1.
 */
export function pollDelayMs(emptyPolls: number, { minMs, maxMs }: PollBounds, random = Math.random()): number {
  const full = Math.min(minMs * 2 ** Math.min(emptyPolls, 30), maxMs);
  return full * (1 - random / 2);
}
