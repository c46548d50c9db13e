import { expect, test } from "vitest";
import { refreshMs } from "./refresh.ts";

const none = { queued: 0, running: 0, waiting: 0, completed: 9, failed: 9, cancelled: 9 };

test("refreshes more often while jobs are queued or running", () => {
  const calm = refreshMs(none);
  expect(refreshMs({ ...none, queued: 1 })).toBeLessThan(calm);
  expect(refreshMs({ ...none, running: 1 })).toBeLessThan(calm);
  expect(refreshMs(undefined)).toBeLessThan(calm);
});
