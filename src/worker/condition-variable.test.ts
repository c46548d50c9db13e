import { expect, test } from "vitest";
import { ConditionVariable } from "./condition-variable.ts";

const NEVER_MS = 600_000;

test("a wait ends at its time limit", async () => {
  const condition = new ConditionVariable();
  await condition.wait(1, condition.count);
  expect(condition.count).toBe(0);
});

test("a notification ends the current wait", async () => {
  const condition = new ConditionVariable();
  const waiting = condition.wait(NEVER_MS, condition.count);
  condition.notify();
  await waiting;
  expect(condition.count).toBe(1);
});

test("a notification between reading the count and the wait is not missed", async () => {
  const condition = new ConditionVariable();
  const seen = condition.count;
  condition.notify();
  await condition.wait(NEVER_MS, seen);
  expect(condition.count).toBe(seen + 1);
});

test("a notification before reading the count does not end the next wait", async () => {
  const condition = new ConditionVariable();
  condition.notify();
  let ended = false;
  const waiting = condition.wait(NEVER_MS, condition.count).then(() => {
    ended = true;
  });
  await Promise.resolve();
  expect(ended).toBe(false);
  condition.notify();
  await waiting;
});

test("many notifications end one wait, and the next wait starts anew", async () => {
  const condition = new ConditionVariable();
  const waiting = condition.wait(NEVER_MS, condition.count);
  condition.notify();
  condition.notify();
  await waiting;
  const again = condition.wait(NEVER_MS, condition.count);
  condition.notify();
  await again;
  expect(condition.count).toBe(3);
});
