import type { Database } from "#queue";
import { measureQueues } from "#queue/read";
import type { FleetFigures } from "#queue/read";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { FaultLog } from "./fault-log.ts";
import type { JobFeeds } from "../live/job-feeds.ts";
import { renderFigures } from "./render-figures.ts";
import { appRouter } from "../trpc/router.ts";

interface MetricsOptions {
  db: Database;
  feeds: JobFeeds;
  faults: FaultLog;
}

const DEADLINE_MS = 3_000;
const TRPC_ROUTE = "/api/trpc/:path";
/** They stay open for as long as their reader likes: how long says nothing of the server. */
const STREAMS = new Set(["/api/jobs/:job_id/events", "/api/trpc/jobs.events"]);
const OUTSIDE_API = new Set(["/healthz", "/readyz", "/metrics"]);

/**
 * `GET /metrics` in Prometheus's text format. Its answer is 200 also when the database is away: `threadmill_database_up`
 * says so, and what is read from there is left out. Add it before the routes whose requests it counts.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function addMetrics(app: FastifyInstance, { db, feeds, faults }: MetricsOptions): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  countRequests(app, registry);
  const registers = [registry];
  const up = new Gauge({
    name: "threadmill_database_up",
    help: "1 when the database answered this scrape.",
    registers,
  });
  const readers = new Gauge({
    name: "threadmill_event_stream_readers",
    help: "Callers that follow a job's events at the moment.",
    registers,
  });
  let reading: Promise<FleetFigures> | undefined;
  const read = async () => {
    // However many scrape at once, the database is asked once.
    reading ??= db.transaction(measureQueues, DEADLINE_MS).finally(() => {
      reading = undefined;
    });
    return reading;
  };
  app.get("/metrics", async (request, reply) => {
    const figures = await read().catch((error: unknown) => {
      faults.report(error, request);
      return undefined;
    });
    up.set(figures ? 1 : 0);
    readers.set(feeds.readers);
    void reply.header("content-type", registry.contentType).header("cache-control", "no-store");
    return (await registry.metrics()) + (figures ? await renderFigures(figures) : "");
  });
}

function countRequests(app: FastifyInstance, registry: Registry): void {
  const registers = [registry];
  const requests = new Counter({
    name: "threadmill_http_requests_total",
    help: "HTTP requests that were answered.",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const durations = new Histogram({
    name: "threadmill_http_request_duration_seconds",
    help: "From a request's arrival to the end of its answer, without event streams.",
    labelNames: ["method", "route"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers,
  });
  app.addHook("onResponse", (request, reply, done) => {
    const route = routeOf(request);
    const { method } = request;
    requests.inc({ method, route, status: reply.statusCode });
    if (!STREAMS.has(route)) durations.observe({ method, route }, reply.elapsedTime / 1000);
    done();
  });
}

/** One of few names, whatever callers ask for: each makes a series that stays. */
function routeOf(request: FastifyRequest): string {
  const { url: route } = request.routeOptions;
  if (route === undefined) return "other";
  if (route === TRPC_ROUTE) {
    const { path } = request.params as { path: string };
    // oxlint-disable-next-line no-underscore-dangle -- tRPC's own name for what describes a router
    return Object.hasOwn(appRouter._def.procedures, path) ? `/api/trpc/${path}` : route;
  }
  return route.startsWith("/api/") || OUTSIDE_API.has(route) ? route : "page";
}
