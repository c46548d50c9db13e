import type { Database } from "#queue";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { JobStatusView } from "#shared/contracts";
import { JobFeeds } from "./job-feeds.ts";
import type { JobReads } from "./job-reads.ts";
import { waitForEnd } from "./wait-for-end.ts";

const JOB_ID = "019abc00-0000-7000-8000-000000000001";

let feeds: JobFeeds;
let status: JobStatusView["status"];
let readCount: number;
let gone: AbortController;

beforeEach(() => {
  vi.useFakeTimers();
  feeds = new JobFeeds({} as Database);
  status = "running";
  readCount = 0;
  gone = new AbortController();
});
afterEach(() => vi.useRealTimers());

const reads = {
  // oxlint-disable-next-line typescript/require-await -- same type as the real method
  status: async () => {
    readCount += 1;
    return { status } as JobStatusView;
  },
} as unknown as JobReads;
const start = () => waitForEnd({ reads, feeds, ownerId: "local", jobId: JOB_ID, signal: gone.signal });
/** Runs everything that waits for no timer. */
const settle = async () => vi.advanceTimersByTimeAsync(0);

test.each(["completed", "failed", "cancelled", "waiting"] as const)(
  "a notice that the job is %s ends the wait before the next poll",
  async (end) => {
    const ended = start();
    await settle();
    status = end;
    feeds.hear(`${JOB_ID} changed`);
    expect(await ended).toEqual({ status: end });
    expect(readCount).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  },
);

test("new events and the changes of other jobs cause no read", async () => {
  const ended = start();
  await settle();
  feeds.hear(JOB_ID);
  feeds.hear("019abc00-0000-7000-8000-000000000002 changed");
  await settle();
  expect(readCount).toBe(1);
  status = "completed";
  feeds.hear(`${JOB_ID} changed`);
  await ended;
});

test("a change during a read causes another read", async () => {
  const ended = start();
  feeds.hear(`${JOB_ID} changed`);
  status = "completed";
  expect(await ended).toEqual({ status: "completed" });
});

test("polling finds a lost notice after 500 ms, and a renewed subscription finds it at once", async () => {
  const ended = start();
  await settle();
  status = "completed";
  await vi.advanceTimersByTimeAsync(500);
  expect(await ended).toEqual({ status: "completed" });
  status = "running";
  const again = start();
  await settle();
  status = "completed";
  feeds.hear();
  expect(await again).toEqual({ status: "completed" });
});

test("a caller that disconnects ends the wait and leaves no timer", async () => {
  const ended = start();
  await settle();
  gone.abort();
  expect(await ended).toEqual({ status: "running" });
  expect(vi.getTimerCount()).toBe(0);
});
