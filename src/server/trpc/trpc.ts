import type { IncomingHttpHeaders } from "node:http";
import { initTRPC, TRPCError } from "@trpc/server";
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from "fastify";
import { ZodError } from "zod";
import { describeIssues } from "../http/describe-issues.ts";
import { INTERNAL_ERROR, mapError } from "../http/map-error.ts";
import type { Services } from "../services.ts";

const PING_MS = 10_000;

/** The context of every procedure: the services and one request. */
export interface Context extends Services {
  headers: IncomingHttpHeaders;
  log: FastifyBaseLogger;
  /** Logs an error whose response has a status of 500 or more. */
  report: (error: unknown) => void;
  /** Aborts when the caller disconnects. Made on demand, because most procedures do not wait. */
  signal: AbortSignal;
}

export function createContext(services: Services, request: FastifyRequest, reply: FastifyReply): Context {
  return {
    ...services,
    headers: request.headers,
    log: request.log,
    report: (error) => services.errors.report(error, request),
    get signal() {
      return services.callers.signalFor(reply);
    },
  };
}

const trpc = initTRPC.context<Context>().create({
  isDev: false,
  sse: {
    ping: { enabled: true, intervalMs: PING_MS },
    client: { reconnectAfterInactivityMs: PING_MS * 3 },
  },
  errorFormatter({ shape, error }) {
    if (error.code === "INTERNAL_SERVER_ERROR") return { ...shape, message: INTERNAL_ERROR };
    return error.cause instanceof ZodError ? { ...shape, message: describeIssues(error.cause) } : shape;
  },
});

export const router = trpc.router;

/** A procedure whose errors become tRPC codes. The text of an unknown error goes to the log only. */
export const procedure = trpc.procedure.use(async ({ ctx, next }) => {
  const result = await next();
  if (result.ok || !(result.error.cause instanceof Error) || result.error.code !== "INTERNAL_SERVER_ERROR")
    return result;
  throw toTrpcError(result.error.cause, ctx);
});

/** Converts an error to its public form. Logs it when its status is 500 or more. */
export function toTrpcError(error: unknown, { report }: Pick<Context, "report">): TRPCError {
  const { httpStatus, trpcCode, message } = mapError(error);
  if (httpStatus >= 500) report(error);
  return new TRPCError({ code: trpcCode, message });
}
