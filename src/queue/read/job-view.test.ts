import { addUsage } from "./job-view.ts";
import { expect, test } from "vitest";

const usage = { inputTokens: 1, outputTokens: 2, costUsd: 0.5 };

test("usages are added up", () => {
  expect(addUsage([usage, usage])).toEqual({ inputTokens: 2, outputTokens: 4, costUsd: 1 });
});

test("the cost of a sum is unknown when one of its costs is", () => {
  expect(addUsage([usage, { ...usage, costUsd: null }, usage])).toMatchObject({ inputTokens: 3, costUsd: null });
});

test.each([[null], [[]]])("without usages (%j) there is no sum", (usages) => {
  expect(addUsage(usages)).toBeNull();
});
