import { expect, test } from "vitest";
import { describeRetries, formatRetries } from "./format-retries.ts";

const tries = { retryCount: 1, maxRetries: 3, crashCount: 0, maxCrashes: 3 };

test("crashes appear beside the retries when there were any", () => {
  expect(formatRetries(tries)).toBe("1/3");
  expect(formatRetries({ ...tries, crashCount: 1 })).toBe("1/3 · 1 crash");
  expect(formatRetries({ ...tries, crashCount: 2 })).toBe("1/3 · 2 crashes");
  expect(describeRetries({ ...tries, crashCount: 2 })).toBe("1 of 3 retries used, 2 of 3 crashes");
});
