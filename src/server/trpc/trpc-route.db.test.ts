import { enqueue } from "#queue/enqueue";
import { randomUUID } from "node:crypto";
import { fastifyTRPCPlugin } from "@trpc/server/adapters/fastify";
import type { FastifyTRPCPluginOptions } from "@trpc/server/adapters/fastify";
import { fastify } from "fastify";
import type { FastifyInstance, InjectOptions } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "#db";
import { startCuttableProxy } from "../../../test/cuttable-proxy.ts";
import type { CuttableProxy } from "../../../test/cuttable-proxy.ts";
import { createTestDatabase } from "../../../test/database.ts";
import { trpcUrl } from "../../../test/open-app.ts";
import { Callers } from "../http/callers.ts";
import { JobCounter } from "../live/job-counter.ts";
import { JobFeeds } from "../live/job-feeds.ts";
import { JobReads } from "../live/job-reads.ts";
import { ErrorLog } from "../observe/error-log.ts";
import type { Services } from "../services.ts";
import { appRouter } from "./router.ts";
import type { AppRouter } from "./router.ts";
import { addTrpc } from "./trpc-route.ts";
import { createContext } from "./trpc.ts";

let db: Database;
let proxy: CuttableProxy;
let drop: () => Promise<void>;
/** The same procedures behind Threadmill's route (`own`) and behind tRPC's adapter. */
let own: FastifyInstance;
let adapter: FastifyInstance;
let jobId: string;

beforeAll(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  proxy = await startCuttableProxy(created.url);
  db = new Database({ url: proxy.url, deadlineMs: 5_000 });
  own = fastify();
  const services: Services = {
    db,
    slowReads: db,
    reads: new JobReads({ db, slowReads: db }),
    feeds: new JobFeeds(db),
    counter: new JobCounter(db),
    callers: new Callers(),
    errors: new ErrorLog(own.log),
    ownerId: "local",
    stalledReaderMs: 30_000,
    tracer: undefined,
  };
  addTrpc(own, services);
  own.addHook("onClose", () => services.errors.close());
  adapter = fastify();
  await adapter.register(fastifyTRPCPlugin, {
    prefix: "/api/trpc",
    trpcOptions: {
      router: appRouter,
      createContext: ({ req, res }) => createContext(services, req, res),
      responseMeta: ({ errors }) =>
        errors.some((error) => error.code === "SERVICE_UNAVAILABLE") ? { headers: { "retry-after": "2" } } : {},
    },
  } satisfies FastifyTRPCPluginOptions<AppRouter>);
  const job = await db.transaction(async (tx) =>
    enqueue(tx, { ownerId: "local", jobType: "größer & + %", payload: { text: "%" } }),
  );
  ({ jobId } = job);
});
afterAll(async () => {
  await Promise.all([own.close(), adapter.close()]);
  await db.close();
  await proxy.close();
  await drop();
});

const both = async (request: InjectOptions) =>
  Promise.all(
    [own, adapter].map(async (app) => {
      const { statusCode, headers, body } = await app.inject(request);
      const { "content-type": type, vary, "retry-after": retryAfter } = headers;
      return { statusCode, type, vary, retryAfter, body };
    }),
  );
const input = (value: unknown) => `input=${encodeURIComponent(JSON.stringify(value))}`;
const status = (id: string) => trpcUrl("jobs.status", { jobId: id });

test.each<[string, () => InjectOptions, number]>([
  ["a job", () => ({ url: status(jobId) }), 200],
  ["a job by its uppercase id", () => ({ url: status(jobId.toUpperCase()) }), 200],
  ["an unknown job", () => ({ url: status(randomUUID()) }), 404],
  ["an invalid id", () => ({ url: status("nonsense") }), 400],
  ["no input for a query that requires one", () => ({ url: "/api/trpc/jobs.status" }), 400],
  ["an empty input", () => ({ url: "/api/trpc/jobs.status?input=" }), 400],
  ["an input that is not JSON", () => ({ url: "/api/trpc/jobs.status?input={" }), 400],
  ["two inputs", () => ({ url: `${status(jobId)}&${input({ jobId: "x" })}` }), 200],
  ["a list without an input", () => ({ url: "/api/trpc/jobs.list" }), 200],
  ["a list with plus, percent and umlaut", () => ({ url: `/api/trpc/jobs.list?${input({ search: "ß & + %" })}` }), 200],
  ["bytes that are not UTF-8", () => ({ url: "/api/trpc/jobs.list?input=%7B%22search%22:%22%FF%22%7D" }), 200],
  ["a plus sign for a space", () => ({ url: "/api/trpc/jobs.list?input=%7B%22search%22:%22&+x%22%7D" }), 400],
  ["null as input", () => ({ url: "/api/trpc/jobs.list?input=null" }), 400],
  ["an additional parameter", () => ({ url: `${status(jobId)}&x=1` }), 200],
  ["a batch", () => ({ url: `/api/trpc/jobs.status,jobs.counts?batch=1&${input({ 0: { jobId } })}` }), 200],
  ["a batch with one failure", () => ({ url: `/api/trpc/jobs.status,jobs.counts?batch=1&${input({})}` }), 207],
  ["an unknown path", () => ({ url: "/api/trpc/jobs.nonsense" }), 404],
  ["the name of an Object property", () => ({ url: "/api/trpc/constructor" }), 404],
  ["an escaped path", () => ({ url: "/api/trpc/jobs%2Ecounts" }), 200],
  ["a mutation by GET", () => ({ url: `/api/trpc/jobs.cancel?${input({ jobId })}` }), 405],
  ["a query by POST", () => ({ method: "POST", url: "/api/trpc/jobs.counts", payload: {} }), 405],
  ["HEAD", () => ({ method: "HEAD", url: status(jobId) }), 204],
  ["a content type", () => ({ url: status(jobId), headers: { "content-type": "application/json" } }), 200],
  ["JSON lines by the accept header", () => ({ url: status(jobId), headers: { accept: "application/jsonl" } }), 400],
  [
    "JSON lines by the trpc-accept header",
    () => ({ url: status(jobId), headers: { "trpc-accept": "application/jsonl" } }),
    400,
  ],
])("%s gets the same answer as from tRPC's adapter", async (_name, request, statusCode) => {
  const [ours, theirs] = await both(request());
  expect(ours).toEqual(theirs);
  expect(ours?.statusCode).toBe(statusCode);
});

test("a query without its database gets the same answer as from tRPC's adapter", async () => {
  await proxy.cut();
  const [ours, theirs] = await both({ url: status(jobId) });
  expect(ours).toEqual(theirs);
  expect(ours).toMatchObject({ statusCode: 503, retryAfter: "2" });
  await proxy.restore();
});
