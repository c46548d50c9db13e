import { expect, test } from "vitest";
import { pollDelayMs } from "./poll-delay.ts";

const nowMs = Date.parse("2030-01-01T00:00:00Z");
const at = (offsetMs: number) => new Date(nowMs + offsetMs).toISOString();

test.each(["completed", "failed", "cancelled"] as const)("stops once the job is %s", (status) => {
  expect(pollDelayMs({ status, runAt: at(0) }, 0, nowMs)).toBe(false);
});

test("polls fast at first and slows down to three seconds", () => {
  const running = { status: "running", runAt: at(0) } as const;
  expect(pollDelayMs(undefined, 0, nowMs)).toBe(250);
  expect(pollDelayMs(running, 1_000, nowMs)).toBe(250);
  expect(pollDelayMs(running, 10_000, nowMs)).toBe(1_000);
  expect(pollDelayMs(running, 3_600_000, nowMs)).toBe(3_000);
});

test("waits for a retry that is not due yet, up to three seconds", () => {
  expect(pollDelayMs({ status: "queued", runAt: at(2_000) }, 0, nowMs)).toBe(2_000);
  expect(pollDelayMs({ status: "queued", runAt: at(60_000) }, 0, nowMs)).toBe(3_000);
  expect(pollDelayMs({ status: "queued", runAt: at(-60_000) }, 0, nowMs)).toBe(250);
});

test("polls every five seconds while the job waits for a person", () => {
  expect(pollDelayMs({ status: "waiting", runAt: at(0) }, 0, nowMs)).toBe(5_000);
});
