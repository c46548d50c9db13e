import { expect, test } from "vitest";
import { JobFeed } from "./job-feed.ts";

/** Opens a feed over a log of `count` events with `chars` characters each, and records the reads of the log. */
async function open(count: number, chars: number) {
  const log = Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    attempt: 1,
    type: "note",
    data: "x".repeat(chars),
    createdAt: "",
  }));
  const reads: number[] = [];
  const feed = new JobFeed(0, async (after) => {
    reads.push(after);
    return Promise.resolve({ events: log.slice(after, after + 500), closed: after + 500 > count });
  });
  feed.refresh();
  await expect.poll(() => feed.isOver).toBe(true);
  reads.length = 0;
  const next = async (after: number) => (await feed.next(after, new AbortController().signal)).events.length;
  return { next, reads };
}

test.each([
  [10, 100, 0],
  [10, 49_000, 6],
  [10, 300_000, 10],
  [1_200, 10, 700],
])("a feed of %i events of %i characters caches all but the first %i", async (count, chars, kept) => {
  const { next, reads } = await open(count, chars);
  if (kept < count) expect(await next(kept)).toBe(count - kept);
  expect(reads).toEqual([]);
  if (kept > 0) {
    await next(kept - 1);
    expect(reads).toEqual([kept - 1]);
  }
});
