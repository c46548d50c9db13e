import { DatabaseUnavailableError } from "#queue";
import type { Database } from "#queue";
import { appendEvents } from "#queue/events";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openQueue } from "../../../test/queue.ts";
import { JobFeeds } from "./job-feeds.ts";

const JOBS = 50;
const READERS_PER_JOB = 4;
/** Longer than any test: the feeds poll only when the test calls `hear`. */
const NEVER_MS = 3_600_000;

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

/** A database that counts its calls. Calls fail when `fault` is set. */
function countCalls() {
  const counted = { calls: 0, runningCount: 0, fault: undefined as Error | undefined };
  const call: Database["call"] = async (work) => {
    counted.calls += 1;
    counted.runningCount += 1;
    try {
      if (counted.fault) throw counted.fault;
      return await queue.db.call(work);
    } finally {
      counted.runningCount -= 1;
    }
  };
  return { counted, db: { call } as Database };
}

/** Starts readers of idle jobs. `got` sums the event numbers by job; `ends` are the results of the readers. */
async function follow(feeds: JobFeeds) {
  const stop = new AbortController();
  const jobs = await queue.addMany(Array.from({ length: JOBS }, () => ({})));
  const got = new Map<string, number>();
  const ends = jobs.flatMap(({ jobId }) =>
    Array.from({ length: READERS_PER_JOB }, async () => {
      for await (const event of feeds.follow({ ownerId: queue.ownerId, jobId, after: 0, signal: stop.signal }))
        got.set(jobId, (got.get(jobId) ?? 0) + event.seq);
    }),
  );
  return { got, ends, leave: async () => (stop.abort(), Promise.all(ends)) };
}

/** Waits until at least this many calls were made and none is running. */
const settle = async (counted: { calls: number; runningCount: number }, atLeast: number) => {
  await expect
    .poll(() => (counted.runningCount === 0 ? counted.calls : -1), { interval: 5, timeout: 20_000 })
    .toBeGreaterThanOrEqual(atLeast);
};

test("one poll costs one statement for any number of readers of idle jobs", async () => {
  const { counted, db } = countCalls();
  const feeds = new JobFeeds(db, { pollMs: NEVER_MS });
  const { got, leave } = await follow(feeds);
  // One call per reader for its first page, and one per job when its first reader joins the feed.
  await settle(counted, JOBS * READERS_PER_JOB + JOBS);
  await expect.poll(() => feeds.readers).toBe(JOBS * READERS_PER_JOB);
  let before = -1;
  while (before !== counted.calls) {
    before = counted.calls;
    await settle(counted, before);
    await queue.db.sql`select 1`;
  }
  for (let look = 1; look <= 5; look += 1) {
    feeds.hear();
    await settle(counted, before + look);
  }
  await queue.db.sql`select 1`;
  expect(counted.calls - before).toBe(5);
  expect(got.size).toBe(0);
  await leave();
});

test("without notices, polling finds new events, ended jobs and deleted jobs", async () => {
  const feeds = new JobFeeds(queue.db, { pollMs: 20 });
  await feeds.start();
  const { got, ends, leave } = await follow(feeds);
  await expect.poll(() => feeds.readers).toBe(JOBS * READERS_PER_JOB);
  const grown = await queue.takeOne();
  await queue.db.call(async (sql) => appendEvents(sql, grown, { after: 0, events: [{ type: "note", data: 1 }] }));
  const ended = await queue.takeOne();
  await queue.finish(ended);
  const closing = (await queue.read(ended.jobId)).events.at(-1)?.seq ?? 0;
  await expect
    .poll(() => Object.fromEntries(got), { timeout: 20_000 })
    .toEqual({ [grown.jobId]: READERS_PER_JOB, [ended.jobId]: READERS_PER_JOB * closing });
  await expect.poll(() => feeds.readers).toBe((JOBS - 1) * READERS_PER_JOB);
  const gone = Promise.allSettled(ends);
  await queue.db.sql`delete from jobs where id = ${grown.jobId}`;
  await expect.poll(() => feeds.readers, { timeout: 20_000 }).toBe((JOBS - 2) * READERS_PER_JOB);
  await leave().catch(() => undefined);
  await feeds.stop();
  const failures = (await gone).flatMap((end) => (end.status === "rejected" ? [String(end.reason)] : []));
  expect(failures).toEqual(Array.from({ length: READERS_PER_JOB }, () => "NotFoundError: Job not found"));
});

test("a failed poll ends the streams", async () => {
  const { counted, db } = countCalls();
  const feeds = new JobFeeds(db, { pollMs: NEVER_MS });
  const { ends } = await follow(feeds);
  const settled = Promise.allSettled(ends);
  await settle(counted, JOBS * READERS_PER_JOB + JOBS);
  const before = counted.calls;
  counted.fault = new DatabaseUnavailableError("away");
  feeds.hear();
  const outcomes = await settled;
  expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
  expect(counted.calls - before).toBeLessThan(JOBS);
});
