import { appendEvents } from "#queue/events";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "#db";
import { startCuttableProxy } from "../../../test/cuttable-proxy.ts";
import type { CuttableProxy } from "../../../test/cuttable-proxy.ts";
import { listenOnFreePort } from "../../../test/open-app.ts";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";
import { JobFeeds } from "../live/job-feeds.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
let proxy: CuttableProxy;
let db: Database;
let slowReads: Database;
let app: FastifyInstance;
let feeds: JobFeeds;
beforeAll(async () => {
  queue = await openQueue();
  proxy = await startCuttableProxy(queue.url);
  db = new Database({ url: proxy.url, deadlineMs: 500 });
  feeds = new JobFeeds(db);
  // The same options as in main.ts.
  slowReads = new Database({ url: proxy.url, deadlineMs: 500, maxConnections: 3, hasSlowReads: true });
  app = await buildApp({ db, slowReads, feeds, logLevel: "silent" });
});
afterAll(async () => {
  await app.close();
  await Promise.all([db.close(), slowReads.close()]);
  await proxy.close();
  await queue.close();
});

/** Reads the samples by name and labels. Every line must be a sample or a comment. */
const scrape = async () => {
  const response = await app.inject({ url: "/metrics" });
  expect(response.statusCode).toBe(200);
  expect(response.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
  const samples = new Map<string, number>();
  for (const line of response.body.split("\n").filter((text) => text !== "" && !text.startsWith("# "))) {
    const [, name = "", value] = /^([a-z_:][a-z0-9_:]*(?:\{.*\})?) (\S+)$/i.exec(line) ?? [];
    expect(name, line).not.toBe("");
    expect(samples.has(name), name).toBe(false);
    samples.set(name, Number(value));
  }
  return samples;
};

test("/metrics contains the figures of the process and of the database", async () => {
  await queue.addMany([{ queue: "mail" }, { queue: "mail" }, {}]);
  await queue.failOne(await queue.takeOne(), true);
  await queue.takeOne();
  const samples = await scrape();
  for (const [name, value] of [
    ["threadmill_database_up", 1],
    ['threadmill_jobs{status="queued"}', 1],
    ['threadmill_jobs{status="running"}', 1],
    ['threadmill_jobs{status="failed"}', 1],
    ['threadmill_jobs{status="completed"}', 0],
    ["threadmill_dead_letters", 1],
    ["threadmill_workers_alive", 0],
    ["threadmill_event_stream_readers", 0],
  ] as const)
    expect([name, samples.get(name)]).toEqual([name, value]);
  for (const figure of ["ready_jobs", "running_jobs", "oldest_ready_age_seconds"])
    for (const name of ["mail", "default"])
      expect([...samples.keys()]).toContain(`threadmill_queue_${figure}{queue="${name}"}`);
  for (const name of ["process_resident_memory_bytes", "process_cpu_seconds_total", "nodejs_eventloop_lag_seconds"])
    expect(samples.get(name)).toBeGreaterThanOrEqual(0);
});

test("requests are counted by route and status, and unknown paths share a name", async () => {
  for (const url of ["/healthz", "/api/jobs/x/status", "/api/nothing/1", "/nothing/2", "/api/trpc/no.such"])
    await app.inject({ url });
  await app.inject({ url: "/api/trpc/workers.list" });
  await app.inject({ url: "/healthz", headers: { host: "evil.example" } });
  const samples = await scrape();
  const count = (labels: string) => samples.get(`threadmill_http_requests_total{method="GET",${labels}}`);
  expect(count('route="/healthz",status="200"')).toBe(1);
  expect(count('route="/healthz",status="403"')).toBe(1);
  expect(count('route="/api/jobs/:job_id/status",status="404"')).toBe(1);
  expect(count('route="/api/trpc/workers.list",status="200"')).toBe(1);
  expect(count('route="/api/trpc/:path",status="404"')).toBe(1);
  expect(count('route="other",status="404"')).toBe(2);
  expect(samples.get('threadmill_http_request_duration_seconds_bucket{le="+Inf",method="GET",route="/healthz"}')).toBe(
    2,
  );
});

test("a reader of an event stream is counted while it reads", async () => {
  const { jobId } = await queue.add({ priority: 50 });
  const job = await queue.takeOne();
  await queue.db.call(async (sql) => appendEvents(sql, job, { after: 0, events: [{ type: "token", data: {} }] }));
  const port = await listenOnFreePort(app);
  const response = await fetch(`http://127.0.0.1:${port}/api/jobs/${jobId}/events`);
  const reader = response.body!.getReader();
  await reader.read();
  expect((await scrape()).get("threadmill_event_stream_readers")).toBe(1);
  await queue.finish(job);
  feeds.hear(jobId);
  while (!(await reader.read()).done);
  expect((await scrape()).get("threadmill_event_stream_readers")).toBe(0);
});

test.each<[string, () => Promise<void> | void]>([
  ["refuses connections", async () => proxy.cut()],
  ["does not answer", () => proxy.blackHole()],
])("with a database that %s, /metrics still contains the process figures", async (_name, leave) => {
  await leave();
  try {
    const samples = await scrape();
    expect(samples.get("threadmill_database_up")).toBe(0);
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(0);
    expect([...samples.keys()].filter((name) => /threadmill_(jobs|queue|workers|dead)/.test(name))).toEqual([]);
  } finally {
    await proxy.restore();
  }
  expect((await scrape()).get("threadmill_database_up")).toBe(1);
});

test("/metrics refuses other machines", async () => {
  for (const headers of [{ host: "evil.example" }, { host: "localhost", origin: "https://evil.example" }]) {
    const response = await app.inject({ url: "/metrics", headers });
    expect(response.statusCode).toBe(403);
    expect(response.body).not.toContain("threadmill_");
  }
});
