import type { ClaimedJob } from "#queue";
import { appendEvents, EVENTS_CHANNEL } from "#queue/events";
import { prune } from "#queue/operate";
import { complete } from "#queue/settle";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Listener } from "#db";
import { listenOnFreePort, trpcUrl } from "../../../test/open-app.ts";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";
import { JobFeeds } from "./job-feeds.ts";
import type { FollowOptions } from "./job-feeds.ts";

/** Counts the events passed to the streams, read or unread. */
class CountingFeeds extends JobFeeds {
  passed = 0;
  override async *follow(options: FollowOptions) {
    for await (const event of super.follow(options)) {
      this.passed += 1;
      yield event;
    }
  }
}

let queue: Awaited<ReturnType<typeof openQueue>>;
const closes: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closes.splice(0)) await close();
});
afterAll(async () => queue.close());

/** Starts an API with its listener, as the server process does. */
async function startApi(): Promise<{ app: FastifyInstance; feeds: CountingFeeds; port: number }> {
  const feeds = new CountingFeeds(queue.db);
  const listener = new Listener({ url: queue.url, channels: { [EVENTS_CHANNEL]: (payload) => feeds.hear(payload) } });
  await listener.start();
  const app = await buildApp({ db: queue.db, feeds, logLevel: "silent" });
  const port = await listenOnFreePort(app);
  closes.push(async () => {
    await app.close();
    await listener.stop();
  });
  return { app, feeds, port };
}
const open = async (port: number, path: string, headers: Record<string, string> = {}) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, agent: false, headers }, resolve);
    sent.once("error", reject);
    sent.end();
    closes.unshift(async () => sent.destroy());
  });
const start = async () => {
  await queue.add();
  return queue.takeOne();
};
const append = async (job: ClaimedJob, after: number, events: { type: string; data: unknown }[]) =>
  queue.db.call(async (sql) => appendEvents(sql, job, { after, events }));
const finish = async (job: ClaimedJob) => queue.db.transaction(async (tx) => complete(tx, job));
const idsOf = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, n) => first + n);
/** Waits until a number stays the same for 300 ms. */
const settled = async (read: () => number) => {
  for (let before = -1; before !== read();) {
    before = read();
    await wait(300);
  }
  return read();
};

const EVENTS = 2_000;
const restPath = (jobId: string) => `/api/jobs/${jobId}/events`;
const trpcPath = (jobId: string) => trpcUrl("jobs.events", { jobId });

test.each([
  ["the REST", restPath],
  ["the tRPC", trpcPath],
])("%s stream reads no more pages for a stalled reader, which later receives every event", async (_, path) => {
  const { feeds, port } = await startApi();
  const job = await start();
  const event = { type: "note", data: "x".repeat(16_000) };
  for (let seq = 0; seq < EVENTS; seq += 200)
    await append(
      job,
      seq,
      Array.from({ length: 200 }, () => event),
    );
  await finish(job);
  const stream = await open(port, path(job.jobId), { accept: "text/event-stream" });
  stream.pause();
  expect(await settled(() => feeds.passed)).toBeLessThan(EVENTS / 2);
  let text = "";
  stream.setEncoding("utf8");
  for await (const part of stream) text += (part as string).replaceAll("x".repeat(100), "");
  expect(idsOf(text)).toEqual(upTo(EVENTS + 1));
});

test("a reader reconnects to another API process after a restart and misses no event", async () => {
  const first = await startApi();
  const job = await start();
  await append(job, 0, [{ type: "note", data: 1 }]);
  const before = await open(first.port, restPath(job.jobId));
  before.setEncoding("utf8");
  let text = "";
  const cut = new Promise<void>((resolve) => before.once("close", resolve));
  before.on("data", (part: string) => (text += part));
  before.on("error", () => undefined);
  await expect.poll(() => idsOf(text)).toEqual([1]);
  await first.app.close();
  await cut;
  const missed = await append(
    job,
    1,
    Array.from({ length: 700 }, (_, n) => ({ type: "note", data: n })),
  );
  const second = await startApi();
  const after = await open(second.port, restPath(job.jobId), { "last-event-id": String(idsOf(text).at(-1)) });
  after.setEncoding("utf8");
  after.on("data", (part: string) => (text += part));
  await append(job, missed, [{ type: "note", data: "live" }]);
  await finish(job);
  await expect.poll(() => idsOf(text)).toEqual(upTo(missed + 2));
  expect(text.match(/^event: completed$/gm)).toHaveLength(1);
});

test("a quiet stream sends comments", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const { port } = await startApi();
  const job = await start();
  await append(job, 0, [{ type: "note", data: 1 }]);
  const stream = await open(port, restPath(job.jobId), { "last-event-id": "1" });
  stream.setEncoding("utf8");
  let text = "";
  stream.on("data", (part: string) => (text += part));
  vi.advanceTimersByTime(15_000);
  await expect.poll(() => text).toBe(": still here\n\n");
  await finish(job);
  await expect.poll(() => text, { timeout: 10_000 }).toMatch(/^: still here\n\nid: 2\nevent: completed\n/);
});

test("the stream of a pruned job ends, and the job is then not found", async () => {
  const { port } = await startApi();
  const job = await start();
  await append(job, 0, [{ type: "note", data: 1 }]);
  const stream = await open(port, restPath(job.jobId));
  let ended = false;
  stream.resume().once("close", () => (ended = true));
  await queue.db.sql`update jobs set status = 'cancelled', worker_id = null, lease_expires_at = null,
    completed_at = clock_timestamp() - interval '1 day' where id = ${job.jobId}`;
  await queue.db.transaction(async (tx) => prune(tx, { completedMs: 1_000, failedMs: 1_000 }));
  await expect.poll(() => ended, { timeout: 10_000 }).toBe(true);
  expect((await open(port, restPath(job.jobId))).statusCode).toBe(404);
});
