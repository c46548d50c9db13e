import { expect, test } from "vitest";
import { RestartDelay, restartDelayMs } from "./restart-delay.ts";

test("the delay doubles from 250 ms with each death and stays at 10 s", () => {
  expect([1, 2, 3, 4, 5, 6, 7].map(restartDelayMs)).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000]);
  expect(restartDelayMs(5000)).toBe(10_000);
});

test("a minute of running resets the count of deaths", () => {
  let nowMs = 0;
  const delay = new RestartDelay(() => nowMs);
  expect([delay.next(), delay.next(), delay.next()]).toEqual([250, 500, 1000]);
  delay.started();
  nowMs += 60_000;
  expect(delay.next()).toBe(2000);
  delay.started();
  nowMs += 60_001;
  expect(delay.next()).toBe(250);
});
