import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openApp, trpcUrl } from "../../../test/open-app.ts";

let api: Awaited<ReturnType<typeof openApp>>;
beforeAll(async () => {
  api = await openApp();
});
beforeEach(async () => api.queue.clear());
afterAll(async () => api.close());

const COUNTS = "/api/trpc/jobs.counts";

test.each([COUNTS, "/api/trpc/no.such", "/api/nothing", "/nothing", "/api/openapi.json", "/healthz", "/metrics"])(
  "the answer of %s has every security header and must not be cached",
  async (url) => {
    const { headers } = await api.app.inject({ url });
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

test("an event stream has the security headers", async () => {
  await api.queue.add();
  const job = await api.queue.takeOne();
  await api.queue.db.sql`update jobs set status = 'cancelled', worker_id = null, lease_expires_at = null,
    completed_at = clock_timestamp() where id = ${job.jobId}`;
  const { headers } = await api.app.inject({ url: `/api/jobs/${job.jobId}/events` });
  expect(headers["content-type"]).toContain("text/event-stream");
  expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
  expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
  expect(headers["cache-control"]).toBe("no-store, no-transform");
});

test.each([
  ["no header, as from curl", {}, COUNTS, 200],
  ["a fetch by our page", { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }, COUNTS, 200],
  ["a typed address", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }, COUNTS, 200],
  ["a read by another site's page", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, COUNTS, 403],
  ["a read by another port's page", { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" }, COUNTS, 403],
  [
    "a link to the API",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    COUNTS,
    403,
  ],
  [
    "a link to the metrics",
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
])("the origin check of %s", async (_, headers, url, status) => {
  expect((await api.app.inject({ url, headers })).statusCode).toBe(status);
});

test("a large answer is compressed when the caller accepts it; a small answer never is", async () => {
  const accepts = { "accept-encoding": "gzip" };
  const plain = await api.app.inject({ url: "/api/openapi.json" });
  const packed = await api.app.inject({ url: "/api/openapi.json", headers: accepts });
  expect(plain.headers).not.toHaveProperty("content-encoding");
  expect(packed.headers["content-encoding"]).toBe("gzip");
  expect(packed.headers.vary).toContain("accept-encoding");
  expect(packed.rawPayload.length).toBeLessThan(plain.rawPayload.length / 3);
  expect(gunzipSync(packed.rawPayload).toString()).toBe(plain.body);
  expect((await api.app.inject({ url: "/healthz", headers: accepts })).headers).not.toHaveProperty("content-encoding");
});

test("a list of the tRPC API is compressed; an event stream is not", async () => {
  const [first] = await api.queue.addMany(Array.from({ length: 20 }, () => ({})));
  const accepts = { "accept-encoding": "gzip, br" };
  const list = await api.app.inject({ url: "/api/trpc/jobs.list", headers: accepts });
  expect(list.headers["content-encoding"]).toBe("br");
  await api.queue.db.sql`update jobs set status = 'cancelled', completed_at = clock_timestamp()`;
  const stream = await api.app.inject({
    url: trpcUrl("jobs.events", { jobId: first?.jobId }),
    headers: { ...accepts, accept: "text/event-stream" },
  });
  expect(stream.headers).not.toHaveProperty("content-encoding");
  expect(stream.body).toContain("cancelled");
  const parts = await api.app.inject({
    url: "/api/trpc/jobs.list?batch=1",
    headers: { ...accepts, "trpc-accept": "application/jsonl" },
  });
  expect(parts.headers).not.toHaveProperty("content-encoding");
  expect(parts.body).toContain("cancelled");
});
