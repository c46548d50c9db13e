import { expect, test } from "vitest";
import { StuckLoop } from "./stuck-loop.ts";

const LEASE_MS = 30_000;
const TIMEOUT_MS = 60_000;
const claim = (jobId: string) => ({ jobId, attempt: 1, workerId: "w", maxAgeMs: TIMEOUT_MS + LEASE_MS });

test("an overdue run is found in a process that does not answer", () => {
  const loop = new StuckLoop(LEASE_MS);
  expect(loop.overdue([claim("a")], 0)).toEqual([]);
  loop.asked(60_000);
  expect(loop.overdue([claim("a"), claim("b")], 64_000)).toEqual([]);
  expect(loop.overdue([claim("a"), claim("b")], 66_000)).toEqual([claim("a")]);
});

test("a process that answers is not stuck, however long a run takes", () => {
  const loop = new StuckLoop(LEASE_MS);
  loop.overdue([claim("a")], 0);
  loop.asked(90_000);
  loop.answered();
  loop.asked(99_000);
  expect(loop.overdue([claim("a")], 100_000)).toEqual([]);
});

test("a process that does not answer is left alone while its runs are within their time", () => {
  const loop = new StuckLoop(LEASE_MS);
  loop.overdue([claim("a")], 0);
  loop.asked(1_000);
  expect(loop.overdue([claim("a")], 59_000)).toEqual([]);
});

test("the next attempt of a job has its own time", () => {
  const loop = new StuckLoop(LEASE_MS);
  loop.overdue([claim("a")], 0);
  loop.overdue([{ ...claim("a"), attempt: 2 }], 50_000);
  loop.asked(60_000);
  expect(loop.overdue([{ ...claim("a"), attempt: 2 }], 70_000)).toEqual([]);
});

test("a process that is blocked for long is reported once", () => {
  const loop = new StuckLoop(LEASE_MS);
  loop.asked(0);
  expect([9_000, 11_000, 20_000].map((nowMs) => loop.becameBlocked(nowMs))).toEqual([false, true, false]);
  loop.answered();
  loop.asked(30_000);
  expect([35_000, 41_000].map((nowMs) => loop.becameBlocked(nowMs))).toEqual([false, true]);
});
