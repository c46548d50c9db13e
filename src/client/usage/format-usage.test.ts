import { expect, test } from "vitest";
import { formatCost, formatInAndOut, formatUsage } from "./format-usage.ts";

test("tokens are added up, and the cost is shown when it is known", () => {
  const usage = (inputTokens: number, outputTokens: number, costUsd: number | null) => ({
    inputTokens,
    outputTokens,
    costUsd,
  });
  expect(formatUsage(usage(11, 7, 25e-6))).toBe("18 tokens · $0.000025");
  expect(formatUsage(usage(1, 0, null))).toBe("1 token");
  expect(formatInAndOut(usage(1_200, 34, null))).toBe(`${(1_200).toLocaleString()} in, 34 out`);
});

test.each([
  [0, "$0"],
  [25e-6, "$0.000025"],
  [1.234e-7, "$0.000000123"],
  [0.1 + 0.2, "$0.3"],
  [1_234.5, "$1,230"],
  [null, null],
])("a cost of %j is %j", (costUsd, text) => {
  expect(formatCost({ costUsd })).toBe(text);
});
