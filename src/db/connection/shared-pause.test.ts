import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { SharedPause } from "./shared-pause.ts";

/** The number of pauses that the signal would end. */
const countPauses = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

test("calls share a running pause, and closing the pool ends it", async () => {
  const closing = new AbortController();
  const pause = new SharedPause();
  for (let call = 0; call < 20; call += 1) pause.begin(closing.signal);
  expect(countPauses(closing.signal)).toBe(1);
  closing.abort();
  await pause.over();
  expect(countPauses(closing.signal)).toBe(0);
});

test("once a pause is over no call waits, and the next pause can begin", async () => {
  const { signal } = new AbortController();
  const pause = new SharedPause();
  await pause.over();
  pause.begin(signal);
  await pause.over();
  expect(countPauses(signal)).toBe(0);
  pause.begin(signal);
  expect(countPauses(signal)).toBe(1);
  await pause.over();
});
