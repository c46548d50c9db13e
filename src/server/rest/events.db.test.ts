import { redriveTurn } from "#conversation";
import { NotFoundError } from "#queue";
import type { ClaimedJob } from "#queue";
import { appendEvents, EVENTS_CHANNEL } from "#queue/events";
import { complete } from "#queue/settle";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Listener } from "#db";
import { deferred } from "../../../test/deferred.ts";
import { trpcUrl } from "../../../test/open-app.ts";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";
import { JobFeeds } from "../live/job-feeds.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
let app: FastifyInstance;
let feeds: JobFeeds;
let listener: Listener;
beforeAll(async () => {
  queue = await openQueue();
  feeds = new JobFeeds(queue.db);
  const listening = deferred();
  listener = new Listener({
    url: queue.url,
    channels: {
      [EVENTS_CHANNEL]: (payload) => {
        listening.resolve();
        feeds.hear(payload);
      },
    },
  });
  await listener.start();
  await listening.promise;
  app = await buildApp({ db: queue.db, feeds, logLevel: "silent" });
});
beforeEach(async () => queue.clear());
afterAll(async () => {
  await app.close();
  await listener.stop();
  await queue.close();
});

const start = async () => {
  await queue.add();
  return queue.takeOne();
};
const append = async (job: ClaimedJob, after: number, count = 1) =>
  queue.db.call(async (sql) =>
    appendEvents(sql, job, {
      after,
      events: Array.from({ length: count }, (_, n) => ({ type: "token", data: { text: `${after + n + 1} ` } })),
    }),
  );
const finish = async (job: ClaimedJob) => queue.db.transaction(async (tx) => complete(tx, job));
const follow = (jobId: string, after = 0, signal = new AbortController().signal) =>
  feeds.follow({ ownerId: queue.ownerId, jobId, after, signal });
const readAll = async (jobId: string, after = 0) => {
  const seqs: number[] = [];
  for await (const event of follow(jobId, after)) seqs.push(event.seq);
  return seqs;
};
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, n) => first + n);

test("readers that start at any time receive each missing event once, in order, up to the closing event", async () => {
  const job = await start();
  const early = readAll(job.jobId);
  for (let seq = 0; seq < 40; seq += 4) await append(job, seq, 4);
  const middle = readAll(job.jobId, 17);
  const late = readAll(job.jobId, 40);
  await append(job, 40, 2);
  await finish(job);
  expect(await early).toEqual(upTo(43));
  expect(await middle).toEqual(upTo(43, 18));
  expect(await late).toEqual(upTo(43, 41));
  expect(await readAll(job.jobId, 41)).toEqual([42, 43]);
  expect(await readAll(job.jobId, 43)).toEqual([]);
});

test("50 readers of one job receive the same events from a fast writer", async () => {
  const job = await start();
  const readers = Array.from({ length: 50 }, async (_, n) => readAll(job.jobId, n % 10));
  let last = 0;
  while (last < 200) last = await append(job, last, 5);
  await finish(job);
  for (const [n, seqs] of (await Promise.all(readers)).entries()) expect(seqs).toEqual(upTo(201, (n % 10) + 1));
});

test("a slow reader delays no other reader and receives every event, including the uncached ones", async () => {
  const job = await start();
  await append(job, 0);
  const slow = follow(job.jobId);
  expect((await slow.next()).value).toMatchObject({ seq: 1 });
  const quick = readAll(job.jobId);
  const waiting = slow.next();
  let last = 1;
  while (last < 1_500) last = await append(job, last, 100);
  await finish(job);
  expect(await quick).toHaveLength(last + 1);
  expect((await waiting).value).toMatchObject({ seq: 2 });
  const rest: number[] = [];
  for await (const event of slow) rest.push(event.seq);
  expect(rest).toEqual(upTo(last + 1, 3));
});

test("an aborted reader ends at once, and another owner gets NotFoundError", async () => {
  const job = await start();
  const gone = new AbortController();
  const reader = follow(job.jobId, 0, gone.signal).next();
  gone.abort();
  expect(await reader).toEqual({ done: true, value: undefined });
  await expect(
    feeds.follow({ ownerId: "other", jobId: job.jobId, after: 0, signal: gone.signal }).next(),
  ).rejects.toThrow(NotFoundError);
});

test("the events of a redriven job continue after its first closing event", async () => {
  const job = await start();
  await queue.failOne(job, true);
  expect(await readAll(job.jobId)).toEqual([1]);
  await queue.db.transaction(async (tx) => redriveTurn(tx, { ownerId: queue.ownerId, jobId: job.jobId }));
  const reader = readAll(job.jobId, 1);
  await finish(await queue.takeOne());
  expect(await reader).toEqual([2, 3]);
});

test("the REST stream starts after Last-Event-ID and ends after the closing event", async () => {
  const job = await start();
  await append(job, 0, 3);
  const response = app.inject({ url: `/api/jobs/${job.jobId}/events`, headers: { "last-event-id": "2" } });
  await append(job, 3);
  await finish(job);
  const { statusCode, headers, body } = await response;
  expect(statusCode).toBe(200);
  expect(headers["content-type"]).toContain("text/event-stream");
  expect([...body.matchAll(/^id: (\d+)\nevent: (\w+)\ndata: (.*)$/gm)].map(([, id, type]) => [id, type])).toEqual([
    ["3", "token"],
    ["4", "token"],
    ["5", "completed"],
  ]);
  expect((await app.inject({ url: `/api/jobs/${job.jobId}/events?last_event_id=4` })).body).toMatch(/^id: 5\n/);
});

test.each([
  ["/api/jobs/00000000-0000-7000-8000-000000000000/events", {}, 404],
  ["/api/jobs/nonsense/events", {}, 404],
])("GET %s answers 404", async (url, headers, status) => {
  const response = await app.inject({ url, headers });
  expect(response.statusCode).toBe(status);
  expect(response.json()).toMatchObject({ detail: "Job not found" });
});

test.each(["x", "-1", "1.5", "99999999999"])("Last-Event-ID %s is refused, and the answer names it", async (id) => {
  const job = await start();
  const response = await app.inject({ url: `/api/jobs/${job.jobId}/events`, headers: { "last-event-id": id } });
  expect(response.statusCode).toBe(422);
  expect(response.json()).toMatchObject({ detail: expect.stringContaining("Last-Event-ID") as string });
});

test("the tRPC subscription sends each event with its number, and resumes after lastEventId", async () => {
  const job = await start();
  await append(job, 0, 2);
  await finish(job);
  const read = async (input: object) =>
    (
      await app.inject({
        url: trpcUrl("jobs.events", input),
        headers: { accept: "text/event-stream" },
      })
    ).body;
  const ids = (body: string) => [...body.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id);
  expect(ids(await read({ jobId: job.jobId }))).toEqual(["1", "2", "3"]);
  expect(ids(await read({ jobId: job.jobId, lastEventId: "2" }))).toEqual(["3"]);
  expect(await read({ jobId: job.jobId, lastEventId: "soon" })).toContain("lastEventId must be the number of an event");
});
