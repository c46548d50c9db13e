import type { Database } from "#queue";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { JobStatusView } from "#shared/contracts";
import { JobFeeds } from "./job-feeds.ts";
import type { JobReads } from "./job-reads.ts";
import { waitForEnd } from "./wait-for-end.ts";

const JOB_ID = "019abc00-0000-7000-8000-000000000001";

let feeds: JobFeeds;
let status: JobStatusView["status"];
let looks: number;
let gone: AbortController;

beforeEach(() => {
  vi.useFakeTimers();
  feeds = new JobFeeds({} as Database);
  status = "running";
  looks = 0;
  gone = new AbortController();
});
afterEach(() => vi.useRealTimers());

const reads = {
  // oxlint-disable-next-line typescript/require-await -- as the real one
  status: async () => {
    looks += 1;
    return { status } as JobStatusView;
  },
} as unknown as JobReads;
const start = () => waitForEnd({ reads, feeds, ownerId: "local", jobId: JOB_ID, signal: gone.signal });
/** Lets everything run that waits for no timer. */
const settle = async () => vi.advanceTimersByTimeAsync(0);

test.each(["completed", "failed", "cancelled", "waiting"] as const)(
  "a job that is %s is told of when its change is heard, without waiting for the next look",
  async (end) => {
    const ended = start();
    await settle();
    status = end;
    feeds.hear(`${JOB_ID} changed`);
    expect(await ended).toEqual({ status: end });
    expect(looks).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  },
);

test("a log that grows, and other jobs' changes, cost no look", async () => {
  const ended = start();
  await settle();
  feeds.hear(JOB_ID);
  feeds.hear("019abc00-0000-7000-8000-000000000002 changed");
  await settle();
  expect(looks).toBe(1);
  status = "completed";
  feeds.hear(`${JOB_ID} changed`);
  await ended;
});

test("a change that comes while it looks is looked after", async () => {
  const ended = start();
  feeds.hear(`${JOB_ID} changed`);
  status = "completed";
  expect(await ended).toEqual({ status: "completed" });
});

test("a lost notice costs half a second, and a subscription that was made anew ends the wait at once", async () => {
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

test("a caller that goes ends the wait and leaves nothing behind", async () => {
  const ended = start();
  await settle();
  gone.abort();
  expect(await ended).toEqual({ status: "running" });
  expect(vi.getTimerCount()).toBe(0);
});
