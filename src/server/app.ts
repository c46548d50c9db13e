/**
 * The HTTP server. A request passes the security headers and the origin check (`http/`) and the request metrics
 * (`observe/`), then reaches its route in `trpc/` or `rest/`. The route calls a verb of the queue or of the conversation
 * layer, or reads through `live/`. `handleErrors` below maps thrown errors to responses, `trpc/trpc.ts` those of tRPC.
 *
 * Each room is described at the head of one file: `http/callers.ts`, `observe/error-log.ts`, `trpc/router.ts`,
 * `rest/rest.ts` and `live/job-reads.ts`.
 */
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
import { ErrorLog } from "./observe/error-log.ts";
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
import type { Services } from "./services.ts";
import { addTrpc } from "./trpc/trpc-route.ts";

export interface AppOptions {
  db: Database;
  /** The same database over a separate pool, for reads that may be slow; default `db`. */
  slowReads?: Database;
  /** The event feeds; the caller passes notices to them. Default: feeds that only poll. */
  feeds?: JobFeeds;
  logLevel: string;
  /** How long a caller may take to send a request, in milliseconds; default 30 s. */
  requestTimeoutMs?: number;
  /** After this time the server closes an event stream whose reader takes no data; default `STALLED_READER_MS`. */
  stalledReaderMs?: number;
  /** Absent when tracing is off. */
  tracer?: Tracer | undefined;
  /** Receives the log lines; default standard output. */
  logTo?: { write: (line: string) => void };
}

/** Until accounts exist, every request acts as this owner. */
const OWNER_ID = "local";
const REQUEST_TIMEOUT_MS = 30_000;
/** How often Node checks for requests over their timeout. */
const TIMEOUT_CHECK_MS = 5_000;
const CLIENT_FOLDER = fileURLToPath(new URL("../../dist/client/", import.meta.url));

/** Builds the HTTP server with all its routes; it does not listen yet. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { db, slowReads = db, feeds = new JobFeeds(db), tracer, logLevel, logTo } = options;
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS, stalledReaderMs = STALLED_READER_MS } = options;
  const app = fastify({
    logger: { level: logLevel, base: { process: "api" }, ...(logTo && { stream: logTo }) },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    // Limits the receipt of the request only. A response may take any time.
    requestTimeout: requestTimeoutMs,
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(requestTimeoutMs, TIMEOUT_CHECK_MS),
    },
    routerOptions: { maxParamLength: 5_000 },
    forceCloseConnections: "idle",
  });
  const services: Services = {
    db,
    slowReads,
    reads: new JobReads({ db, slowReads }),
    feeds,
    counter: new JobCounter(slowReads),
    callers: new Callers(),
    errors: new ErrorLog(app.log),
    ownerId: OWNER_ID,
    stalledReaderMs,
    tracer,
  };
  handleErrors(app, services.errors);
  app.addHook("onReady", async () => feeds.start());
  app.addHook("onClose", async () => feeds.stop());
  app.addHook("preClose", async () => services.callers.abortAll());
  addSecurityHeaders(app);
  guardOrigin(app);
  await app.register(fastifyCompress, { encodings: ["br", "gzip"], globalDecompression: false });
  addMetrics(app, services);
  addTrpc(app, services);
  addRest(app, services);
  addRestEvents(app, services);
  addOpenApi(app);
  addHealth(app, services);
  await addPage(app);
  return app;
}

/** Turns thrown errors into responses, and logs every response with a status of 500 or more. */
function handleErrors(app: FastifyInstance, errors: ErrorLog): void {
  app.addHook("onResponse", (request, reply, done) => {
    // A disconnected caller received no response.
    if (!request.raw.socket.destroyed) errors.reportResponse(reply.statusCode, request);
    done();
  });
  app.addHook("onClose", () => errors.close());
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    if (error.statusCode !== undefined && error.statusCode < 500)
      return reply.code(error.statusCode).send({ detail: `body: ${error.message}` });
    const { httpStatus, message } = mapError(error);
    if (httpStatus === 503) void reply.header("retry-after", RETRY_AFTER_SECONDS);
    if (httpStatus >= 500) errors.report(error, request);
    return reply.code(httpStatus).send({ detail: message });
  });
}

/** Serves the built client. A path that is neither a file nor an API route gets the page, which has its own router. */
async function addPage(app: FastifyInstance): Promise<void> {
  const isBuilt = existsSync(CLIENT_FOLDER);
  if (isBuilt) {
    await app.register(fastifyStatic, {
      root: CLIENT_FOLDER,
      wildcard: false,
      setHeaders: (reply, path) => {
        // Asset names contain a content hash. The page itself changes under the same name.
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
    if (isBuilt && wantsPage) return reply.sendFile("index.html");
    return reply.code(404).send({ detail: "Not found" });
  });
}
