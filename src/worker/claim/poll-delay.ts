export interface PollBounds {
  minMs: number;
  maxMs: number;
}

/**
 * Returns the delay before the next poll, in milliseconds. It doubles from `minMs` to `maxMs`. A random part of up to half
 * is subtracted, so that the polls of a fleet spread out.
 * @param emptyPolls how many polls in a row found nothing, from 0.
 * @param random a number from 0 up to 1.
 */
export function pollDelayMs(emptyPolls: number, { minMs, maxMs }: PollBounds, random = Math.random()): number {
  const full = Math.min(minMs * 2 ** Math.min(emptyPolls, 30), maxMs);
  return full * (1 - random / 2);
}
