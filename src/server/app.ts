import type { Database } from "#queue";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fastifyCompress from "@fastify/compress";
import fastifyStatic from "@fastify/static";
import fastify, { LogController } from "fastify";
import type { FastifyError, FastifyInstance } from "fastify";
import { MAX_BODY_BYTES, STALLED_READER_MS } from "#shared/limits";
import type { Tracer } from "#tracing";
import { Callers } from "./http/callers.ts";
import { FaultLog } from "./observe/fault-log.ts";
import { guardOrigin } from "./http/guard-origin.ts";
import { JobCounter } from "./live/job-counter.ts";
import { JobFeeds } from "./live/job-feeds.ts";
import { JobReads } from "./live/job-reads.ts";
import { addMetrics } from "./observe/metrics.ts";
import { mapError, RETRY_AFTER_SECONDS } from "./http/map-error.ts";
import { addOpenApi } from "./rest/openapi.ts";
import { addHealth } from "./observe/readiness.ts";
import { addRestEvents } from "./rest/rest-events.ts";
import { addRest } from "./rest/rest.ts";
import { addSecurityHeaders } from "./http/security-headers.ts";
import { addTrpc } from "./trpc/trpc-route.ts";

export interface AppOptions {
  db: Database;
  /** The same database over connections of their own, for reads that can be slow; `db` unless given. */
  slowReads?: Database;
  /** The event logs that readers follow, told of news by whoever listens; without, readers look by themselves. */
  feeds?: JobFeeds;
  logLevel: string;
  /** How long a caller may take to send a request, in milliseconds; 30 s unless given. */
  requestTimeoutMs?: number;
  /** How long an event stream's reader may take nothing; `STALLED_READER_MS` unless given. */
  stalledReaderMs?: number;
  /** What submits are traced with; absent where nothing is traced. */
  tracer?: Tracer | undefined;
  /** Where log lines go; standard output unless given. */
  logTo?: { write: (line: string) => void };
}

/** Until accounts exist, every request acts as this owner. */
const OWNER_ID = "local";
const REQUEST_TIMEOUT_MS = 30_000;
/** How often Node looks for requests that take too long. */
const CHECK_EVERY_MS = 5_000;
const CLIENT_FOLDER = fileURLToPath(new URL("../../dist/client/", import.meta.url));

/** The HTTP server: tRPC, REST, health and the page; not yet listening. */
export async function buildApp({
  db,
  slowReads = db,
  feeds = new JobFeeds(db),
  tracer,
  logLevel,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
  stalledReaderMs = STALLED_READER_MS,
  logTo,
}: AppOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: { level: logLevel, base: { process: "api" }, ...(logTo && { stream: logTo }) },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    // Until the request is whole. What is answered after that may take as long as it likes.
    requestTimeout: requestTimeoutMs,
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.min(requestTimeoutMs, CHECK_EVERY_MS) },
    routerOptions: { maxParamLength: 5_000 },
    forceCloseConnections: "idle",
  });
  const callers = new Callers();
  const counter = new JobCounter(slowReads);
  const reads = new JobReads({ db, slowReads });
  const faults = answerFaults(app);
  app.addHook("onReady", async () => feeds.start());
  app.addHook("preClose", async () => callers.dismiss());
  app.addHook("onClose", async () => feeds.stop());
  addSecurityHeaders(app);
  guardOrigin(app);
  await app.register(fastifyCompress, { encodings: ["br", "gzip"], globalDecompression: false });
  addMetrics(app, { db: slowReads, feeds, faults });
  addTrpc(
    app,
    (request, reply) => ({
      db,
      slowReads,
      reads,
      feeds,
      counter,
      ownerId: OWNER_ID,
      log: request.log,
      report: (error) => faults.report(error, request),
      tracer,
      headers: request.headers,
      get signal() {
        return callers.whenGone(reply);
      },
    }),
    { stalledReaderMs },
  );
  addRest(app, { db, reads, feeds, faults, ownerId: OWNER_ID, callers, tracer });
  addRestEvents(app, { feeds, faults, ownerId: OWNER_ID, callers, stalledReaderMs });
  addOpenApi(app);
  addHealth(app, { db, faults });
  await addPage(app);
  return app;
}

/** Answers what was thrown, and logs every answer that is the server's fault. */
function answerFaults(app: FastifyInstance): FaultLog {
  const faults = new FaultLog(app.log);
  app.addHook("onResponse", (request, reply, done) => {
    // A caller that has left gets no answer.
    if (!request.raw.socket.destroyed) faults.reportAnswer(reply.statusCode, request);
    done();
  });
  app.addHook("onClose", () => faults.close());
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    if (error.statusCode !== undefined && error.statusCode < 500)
      return reply.code(error.statusCode).send({ detail: `body: ${error.message}` });
    const mapped = mapError(error);
    if (mapped.httpStatus === 503) void reply.header("retry-after", RETRY_AFTER_SECONDS);
    if (mapped.httpStatus >= 500) faults.report(error, request);
    return reply.code(mapped.httpStatus).send({ detail: mapped.message });
  });
  return faults;
}

/** Serves the built page; every path that is no file and no API is the page's own, which routes it. */
async function addPage(app: FastifyInstance): Promise<void> {
  const built = existsSync(CLIENT_FOLDER);
  if (built) {
    await app.register(fastifyStatic, {
      root: CLIENT_FOLDER,
      wildcard: false,
      setHeaders: (reply, path) => {
        // The names of built assets carry their hash; the page itself must be asked for anew.
        void reply.header(
          "cache-control",
          path.includes("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
        );
      },
    });
  }
  app.setNotFoundHandler(async (request, reply) => {
    const wantsPage =
      request.method === "GET" &&
      !request.url.startsWith("/api/") &&
      (request.headers.accept ?? "").includes("text/html");
    if (built && wantsPage) return reply.sendFile("index.html");
    return reply.code(404).send({ detail: "Not found" });
  });
}
