import { measureQueues } from "#queue/read";
import type { FleetFigures } from "#queue/read";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Services } from "../services.ts";
import { renderFigures } from "./render-figures.ts";
import { appRouter } from "../trpc/router.ts";

const DEADLINE_MS = 3_000;
const TRPC_ROUTE = "/api/trpc/:path";
/** A stream lasts as long as its reader stays, so its duration does not describe the server. */
const STREAMS = new Set(["/api/jobs/:job_id/events", "/api/trpc/jobs.events"]);
const OUTSIDE_API = new Set(["/healthz", "/readyz", "/metrics"]);

/**
 * Adds `GET /metrics` in Prometheus's text format. Without its database it still answers 200: `threadmill_database_up`
 * is 0, and the database's figures are missing. Call it before adding routes, or it does not count their requests.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function addMetrics(
  app: FastifyInstance,
  { slowReads, feeds, errors }: Pick<Services, "slowReads" | "feeds" | "errors">,
): void {
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
    help: "Callers that currently read a job's events.",
    registers,
  });
  let reading: Promise<FleetFigures> | undefined;
  const read = async () => {
    // Concurrent scrapes share one query.
    reading ??= slowReads.transaction(measureQueues, DEADLINE_MS).finally(() => {
      reading = undefined;
    });
    return reading;
  };
  app.get("/metrics", async (request, reply) => {
    const figures = await read().catch((error: unknown) => {
      errors.report(error, request);
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
    help: "Answered HTTP requests.",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const durations = new Histogram({
    name: "threadmill_http_request_duration_seconds",
    help: "Time from the arrival of a request to the end of its answer; event streams are excluded.",
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

/** Maps a request to one of a fixed set of names, because every name creates a permanent series. */
function routeOf(request: FastifyRequest): string {
  const { url: route } = request.routeOptions;
  if (route === undefined) return "other";
  if (route === TRPC_ROUTE) {
    const { path } = request.params as { path: string };
    // oxlint-disable-next-line no-underscore-dangle -- tRPC's own name
    return Object.hasOwn(appRouter._def.procedures, path) ? `/api/trpc/${path}` : route;
  }
  return route.startsWith("/api/") || OUTSIDE_API.has(route) ? route : "page";
}
