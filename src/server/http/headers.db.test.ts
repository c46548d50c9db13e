import { gunzipSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
let app: FastifyInstance;
beforeAll(async () => {
  queue = await openQueue();
  app = await buildApp({ db: queue.db, logLevel: "silent" });
});
beforeEach(async () => queue.clear());
afterAll(async () => {
  await app.close();
  await queue.close();
});

const COUNTS = "/api/trpc/jobs.counts";

test.each([COUNTS, "/api/trpc/no.such", "/api/nothing", "/nothing", "/api/openapi.json", "/healthz", "/metrics"])(
  "%s is answered with every security header, and is not stored",
  async (url) => {
    const { headers } = await app.inject({ url });
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "no-store",
    });
    const policy = String(headers["content-security-policy"]).split(";");
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ]),
    );
    expect(headers).not.toHaveProperty("strict-transport-security");
  },
);

test("an event stream has the headers as well", async () => {
  await queue.add();
  const job = await queue.takeOne();
  await queue.db.sql`update jobs set status = 'cancelled', worker_id = null, lease_expires_at = null,
    completed_at = clock_timestamp() where id = ${job.jobId}`;
  const { headers } = await app.inject({ url: `/api/jobs/${job.jobId}/events` });
  expect(headers["content-type"]).toContain("text/event-stream");
  expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
  expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
  expect(headers["cache-control"]).toBe("no-store, no-transform");
});

test.each([
  ["no header, as curl's", {}, COUNTS, 200],
  ["the page's own", { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }, COUNTS, 200],
  ["an address typed in", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }, COUNTS, 200],
  ["a read by another site's page", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, COUNTS, 403],
  ["a read by another port's page", { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" }, COUNTS, 403],
  [
    "a link to the API",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    COUNTS,
    403,
  ],
  [
    "a link to the figures",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    "/metrics?x=1",
    403,
  ],
  [
    "a link to a page",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    "/no-such-file.txt",
    404,
  ],
  [
    "a page in another site's frame",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
    "/no-such-file.txt",
    403,
  ],
])("Sec-Fetch-Site: %s", async (_, headers, url, status) => {
  expect((await app.inject({ url, headers })).statusCode).toBe(status);
});

test("large answers are compressed for those who take that, small ones are not", async () => {
  const takes = { "accept-encoding": "gzip" };
  const plain = await app.inject({ url: "/api/openapi.json" });
  const packed = await app.inject({ url: "/api/openapi.json", headers: takes });
  expect(plain.headers).not.toHaveProperty("content-encoding");
  expect(packed.headers["content-encoding"]).toBe("gzip");
  expect(packed.headers.vary).toContain("accept-encoding");
  expect(packed.rawPayload.length).toBeLessThan(plain.rawPayload.length / 3);
  expect(gunzipSync(packed.rawPayload).toString()).toBe(plain.body);
  expect((await app.inject({ url: "/healthz", headers: takes })).headers).not.toHaveProperty("content-encoding");
});

test("a list of the typed API is compressed, an event stream of it is not", async () => {
  const [first] = await queue.addMany(Array.from({ length: 20 }, () => ({})));
  const takes = { "accept-encoding": "gzip, br" };
  const list = await app.inject({ url: "/api/trpc/jobs.list", headers: takes });
  expect(list.headers["content-encoding"]).toBe("br");
  await queue.db.sql`update jobs set status = 'cancelled', completed_at = clock_timestamp()`;
  const input = encodeURIComponent(JSON.stringify({ jobId: first?.jobId }));
  const stream = await app.inject({
    url: `/api/trpc/jobs.events?input=${input}`,
    headers: { ...takes, accept: "text/event-stream" },
  });
  expect(stream.headers).not.toHaveProperty("content-encoding");
  expect(stream.body).toContain("cancelled");
  const parts = await app.inject({
    url: "/api/trpc/jobs.list?batch=1",
    headers: { ...takes, "trpc-accept": "application/jsonl" },
  });
  expect(parts.headers).not.toHaveProperty("content-encoding");
  expect(parts.body).toContain("cancelled");
});
