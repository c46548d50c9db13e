import { appendEvents } from "#queue/events";
import type { EventPage } from "#queue/events";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { MAX_EVENT_PAGE_BYTES } from "#shared/limits";
import { listenOnFreePort, trpcUrl } from "../../../test/open-app.ts";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";
import { JobFeeds } from "../live/job-feeds.ts";
import type { FollowOptions } from "../live/job-feeds.ts";

const READERS = 12;
const EVENTS = 60;
const EVENT_CHARS = 250_000;

const bytesOf = ({ events }: EventPage) => Buffer.byteLength(JSON.stringify(events));

/** Records the number of streams and the size of the largest page. */
class MeasuredFeeds extends JobFeeds {
  largestPage = 0;
  followed = 0;
  override async open(options: Omit<FollowOptions, "signal">): Promise<EventPage> {
    const page = await super.open(options);
    this.largestPage = Math.max(this.largestPage, bytesOf(page));
    return page;
  }
  override follow(options: FollowOptions) {
    this.followed += 1;
    return super.follow(options);
  }
}

let queue: Awaited<ReturnType<typeof openQueue>>;
const closes: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterEach(async () => {
  for (const close of closes.splice(0).toReversed()) await close();
});
afterAll(async () => queue.close());

async function startApi(stalledReaderMs: number) {
  const feeds = new MeasuredFeeds(queue.db);
  const app: FastifyInstance = await buildApp({ db: queue.db, feeds, logLevel: "silent", stalledReaderMs });
  const sockets = new Set<Socket>();
  app.server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  closes.push(async () => app.close());
  return { feeds, sockets, port: await listenOnFreePort(app) };
}

async function addLongLog(): Promise<string> {
  await queue.add();
  const job = await queue.takeOne({ leaseMs: 600_000 });
  const event = { type: "note", data: "x".repeat(EVENT_CHARS) };
  for (let after = 0; after < EVENTS; after += 10) {
    const events = Array.from({ length: 10 }, () => event);
    await queue.db.call(async (sql) => appendEvents(sql, job, { after, events }));
  }
  return job.jobId;
}

/** Requests a stream and never reads it. */
async function openStalled(port: number, path: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.pause();
  socket.on("error", () => undefined);
  closes.push(async () => socket.destroy());
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\r\n`);
}

test.each([
  ["the REST", (jobId: string) => `/api/jobs/${jobId}/events`],
  ["the tRPC", (jobId: string) => trpcUrl("jobs.events", { jobId })],
])("stalled readers of %s stream are disconnected, and their buffers are bounded", async (_, pathOf) => {
  const jobId = await addLongLog();
  const { feeds, sockets, port } = await startApi(1_000);
  for (let count = 0; count < READERS; count += 1) await openStalled(port, pathOf(jobId));
  let mostWaiting = 0;
  const look = () => {
    for (const { writableLength } of sockets) mostWaiting = Math.max(mostWaiting, writableLength);
    return { followed: feeds.followed, readers: feeds.readers };
  };
  await expect.poll(look, { interval: 20, timeout: 20_000 }).toEqual({ followed: READERS, readers: 0 });
  await expect.poll(() => sockets.size, { timeout: 20_000 }).toBe(0);
  expect(feeds.largestPage).toBeGreaterThan(EVENT_CHARS);
  expect(feeds.largestPage).toBeLessThan(MAX_EVENT_PAGE_BYTES + 2 * EVENT_CHARS);
  expect(mostWaiting).toBeGreaterThan(0);
  expect(mostWaiting).toBeLessThan(MAX_EVENT_PAGE_BYTES);
});
