import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";

test.each([
  [0, 0, 0],
  [1, 25, 50],
  [2, 50, 100],
  [3, 100, 200],
  [6, 500, 1_000],
  [1_000, 500, 1_000],
])("after %i failures the next attempt to connect waits %i to %i ms", (failureCount, least, most) => {
  const delays = Array.from({ length: 200 }, () => backoffMs(failureCount));
  for (const delay of delays) {
    expect(delay).toBeGreaterThanOrEqual(least);
    expect(delay).toBeLessThanOrEqual(most);
  }
  if (most > 0) expect(new Set(delays).size).toBeGreaterThan(1);
});
