import { callTRPCProcedure, getTRPCErrorFromUnknown, getTRPCErrorShape } from "@trpc/server";
import type { AnyTRPCProcedure, TRPCError } from "@trpc/server";
import { fastifyRequestHandler } from "@trpc/server/adapters/fastify";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { cutStalled } from "../http/cut-stalled.ts";
import { RETRY_AFTER_SECONDS } from "../http/map-error.ts";
import type { Services } from "../services.ts";
import { appRouter } from "./router.ts";
import { createContext } from "./trpc.ts";
import type { Context } from "./trpc.ts";

const PREFIX = "/api/trpc";
const JSON_TYPE = "application/json";
const VARY = "trpc-accept, accept";
const RETRY_AFTER = { "retry-after": String(RETRY_AFTER_SECONDS) };

// oxlint-disable-next-line no-underscore-dangle -- tRPC's own name
const { _config: config, procedures } = appRouter._def;
const pathsOf = (type: "query" | "subscription") =>
  new Set(
    Object.entries(procedures as unknown as Record<string, AnyTRPCProcedure>)
      // oxlint-disable-next-line no-underscore-dangle -- tRPC's own name
      .filter(([, procedure]) => procedure._def.type === type)
      .map(([path]) => path),
  );
const QUERIES = pathsOf("query");
const SUBSCRIPTIONS = pathsOf("subscription");

interface PathParams {
  path: string;
}

/**
 * Adds the tRPC API. A plain query is answered here, exactly as by tRPC's adapter. The adapter would build a web request,
 * a response, streams and signals, which cost several times as much as the query (`docs/performance-log.md`). All other
 * calls go to the adapter.
 */
export function addTrpc(app: FastifyInstance, services: Services): void {
  void app.register((scope, _options, done) => {
    // tRPC parses bodies itself.
    scope.removeContentTypeParser(JSON_TYPE);
    scope.addContentTypeParser(JSON_TYPE, { parseAs: "string" }, (_request, body, parsed) => parsed(null, body));
    scope.addContentTypeParser("multipart/form-data", {}, (_request, body, parsed) => parsed(null, body));
    scope.all<{ Params: PathParams }>(`${PREFIX}/:path`, async (request, reply) => {
      const { path } = request.params;
      // The Fetch standard forbids this method, so tRPC's adapter would throw.
      if (request.method === "TRACE") return reply.code(405).send({ detail: "TRACE is not allowed" });
      const query = isPlainQuery(path, request) ? readInput(request) : undefined;
      if (query) return answerQuery(reply, { path, input: query.input, ctx: createContext(services, request, reply) });
      if (SUBSCRIPTIONS.has(path)) cutStalled(reply.raw, services.stalledReaderMs);
      // A compressor would delay streamed events. The adapter's other responses are small.
      request.headers["x-no-compression"] = "1";
      await fastifyRequestHandler({
        router: appRouter,
        req: request,
        res: reply,
        path,
        createContext: () => createContext(services, request, reply),
        responseMeta: ({ errors }) => (errors.some(isUnavailable) ? { headers: RETRY_AFTER } : {}),
      });
      return reply;
    });
    done();
  });
}

/** True for a GET of a single query that accepts plain JSON. */
function isPlainQuery(path: string, { method, headers }: FastifyRequest): boolean {
  return (
    method === "GET" &&
    QUERIES.has(path) &&
    headers["content-type"] === undefined &&
    headers["trpc-accept"] === undefined &&
    headers.accept?.includes("jsonl") !== true
  );
}

/** Reads the input of a query. Returns undefined for an unusual request, which tRPC must then judge. */
function readInput({ query }: FastifyRequest): { input: unknown } | undefined {
  const { input, ...others } = query as Record<string, unknown>;
  if (Object.keys(others).length > 0) return undefined;
  if (input === undefined) return { input };
  if (typeof input !== "string") return undefined;
  try {
    return { input: JSON.parse(input) };
  } catch {
    return undefined;
  }
}

interface Call {
  path: string;
  input: unknown;
  ctx: Context;
}

async function answerQuery(reply: FastifyReply, { path, input, ctx }: Call): Promise<string> {
  // With a serializer Fastify adds no charset; JSON has none.
  void reply
    .header("content-type", JSON_TYPE)
    .header("vary", VARY)
    .serializer((text: string) => text);
  try {
    const data: unknown = await callTRPCProcedure({
      router: appRouter,
      path,
      type: "query",
      ctx,
      getRawInput: async () => Promise.resolve(input),
      signal: undefined,
      batchIndex: 0,
    });
    return toText(data);
  } catch (cause) {
    const error = getTRPCErrorFromUnknown(cause);
    if (isUnavailable(error)) void reply.headers(RETRY_AFTER);
    const shape = getTRPCErrorShape({ config, error, type: "query", path, input, ctx });
    void reply.code(getHTTPStatusCodeFromError(error));
    return JSON.stringify({ error: shape });
  }
}

/** Callers of a shared read are answered one after the other, so the last text serves all of them. */
let latest: { data: unknown; text: string } | undefined;

function toText(data: unknown): string {
  // Only the same object proves the same read: equal primitives may come from different reads.
  if (typeof data !== "object" || latest?.data !== data) latest = { data, text: JSON.stringify({ result: { data } }) };
  return latest.text;
}

function isUnavailable(error: TRPCError): boolean {
  return error.code === "SERVICE_UNAVAILABLE";
}
