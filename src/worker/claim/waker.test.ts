import { expect, test } from "vitest";
import { Waker } from "./waker.ts";

const NEVER_MS = 600_000;

test("a wait ends by itself when its time is over", async () => {
  const waker = new Waker();
  await waker.wait(1, waker.count);
  expect(waker.count).toBe(0);
});

test("a signal ends the present wait", async () => {
  const waker = new Waker();
  const waiting = waker.wait(NEVER_MS, waker.count);
  waker.wake();
  await waiting;
  expect(waker.count).toBe(1);
});

test("a signal between the look and the wait is not missed", async () => {
  const waker = new Waker();
  const seen = waker.count;
  waker.wake();
  await waker.wait(NEVER_MS, seen);
  expect(waker.count).toBe(seen + 1);
});

test("a signal of before the look does not end the next wait", async () => {
  const waker = new Waker();
  waker.wake();
  let ended = false;
  const waiting = waker.wait(NEVER_MS, waker.count).then(() => {
    ended = true;
  });
  await Promise.resolve();
  expect(ended).toBe(false);
  waker.wake();
  await waiting;
});

test("many signals at once end one wait, and the wait after it starts anew", async () => {
  const waker = new Waker();
  const waiting = waker.wait(NEVER_MS, waker.count);
  waker.wake();
  waker.wake();
  await waiting;
  const again = waker.wait(NEVER_MS, waker.count);
  waker.wake();
  await again;
  expect(waker.count).toBe(3);
});
