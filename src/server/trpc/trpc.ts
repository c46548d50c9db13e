import type { Database } from "#queue";
import type { IncomingHttpHeaders } from "node:http";
import { initTRPC, TRPCError } from "@trpc/server";
import type { FastifyBaseLogger } from "fastify";
import { ZodError } from "zod";
import type { Tracer } from "#tracing";
import type { JobCounter } from "../live/job-counter.ts";
import type { JobFeeds } from "../live/job-feeds.ts";
import type { JobReads } from "../live/job-reads.ts";
import { mapError } from "../http/map-error.ts";

/** What every procedure has: the database, who asks, the request's log, and a signal that aborts when the caller leaves. */
export interface Context {
  db: Database;
  /** The same database, for reads that can be slow. */
  slowReads: Database;
  reads: JobReads;
  ownerId: string;
  log: FastifyBaseLogger;
  /** Logs an error that is answered with a status of 500 or more. */
  report: (error: unknown) => void;
  signal: AbortSignal;
  feeds: JobFeeds;
  counter: JobCounter;
  /** Absent where nothing is traced. */
  tracer: Tracer | undefined;
  headers: IncomingHttpHeaders;
}

const PING_MS = 10_000;

const trpc = initTRPC.context<Context>().create({
  isDev: false,
  sse: {
    ping: { enabled: true, intervalMs: PING_MS },
    client: { reconnectAfterInactivityMs: PING_MS * 3 },
  },
  errorFormatter({ shape, error }) {
    if (error.code === "INTERNAL_SERVER_ERROR") return { ...shape, message: "Internal error: see the server's log" };
    return error.cause instanceof ZodError ? { ...shape, message: describeFaults(error.cause) } : shape;
  },
});

export const router = trpc.router;

/** A procedure whose errors are mapped to tRPC codes; unknown ones keep their text to the log. */
export const procedure = trpc.procedure.use(async ({ ctx, next }) => {
  const result = await next();
  if (result.ok || !(result.error.cause instanceof Error) || result.error.code !== "INTERNAL_SERVER_ERROR")
    return result;
  throw toTrpcError(result.error.cause, ctx);
});

/** An error as callers get it; one that is the server's fault is logged. */
export function toTrpcError(error: unknown, { report }: Pick<Context, "report">): TRPCError {
  const mapped = mapError(error);
  if (mapped.httpStatus >= 500) report(error);
  return new TRPCError({ code: mapped.trpcCode, message: mapped.message });
}

/** What is wrong with an input, each fault with its field's name. */
export function describeFaults(error: ZodError): string {
  return error.issues
    .map((issue) => {
      const path = issue.path.reduce<string>(
        (text, key) =>
          typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`,
        "",
      );
      return path === "" || issue.message.startsWith(path) ? issue.message : `${path}: ${issue.message}`;
    })
    .join("; ");
}
