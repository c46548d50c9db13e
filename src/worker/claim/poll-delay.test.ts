import fc from "fast-check";
import { expect, test } from "vitest";
import { pollDelayMs } from "./poll-delay.ts";

const bounds = fc
  .record({ minMs: fc.integer({ min: 10, max: 60_000 }), factor: fc.integer({ min: 1, max: 1_000 }) })
  .map(({ minMs, factor }) => ({ minMs, maxMs: minMs * factor }));
const emptyPolls = fc.nat({ max: 1_000_000 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("the delay is finite, at least half of `minMs` and at most `maxMs`", () => {
  fc.assert(
    fc.property(emptyPolls, bounds, random, (polls, { minMs, maxMs }, chance) => {
      const delayMs = pollDelayMs(polls, { minMs, maxMs }, chance);
      expect(delayMs).toBeGreaterThan(minMs / 2 - 1e-9);
      expect(delayMs).toBeLessThanOrEqual(maxMs);
    }),
  );
});

test("the delay doubles with each empty poll until it reaches `maxMs`", () => {
  fc.assert(
    fc.property(emptyPolls, bounds, random, (polls, limits, chance) => {
      const now = pollDelayMs(polls, limits, chance);
      const next = pollDelayMs(polls + 1, limits, chance);
      expect(next).toBeGreaterThanOrEqual(now);
      expect(next).toBeCloseTo(Math.min(now * 2, limits.maxMs * (1 - chance / 2)), 6);
    }),
  );
});

test("up to half of the delay is random", () => {
  const limits = { minMs: 250, maxMs: 30_000 };
  expect(pollDelayMs(0, limits, 0)).toBe(250);
  expect(pollDelayMs(2, limits, 0)).toBe(1_000);
  expect(pollDelayMs(2, limits, 0.5)).toBe(750);
  expect(pollDelayMs(99, limits, 0)).toBe(30_000);
});
