import { callTRPCProcedure, getTRPCErrorFromUnknown, getTRPCErrorShape } from "@trpc/server";
import type { AnyTRPCProcedure, TRPCError } from "@trpc/server";
import { fastifyRequestHandler } from "@trpc/server/adapters/fastify";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { STALLED_READER_MS } from "#shared/limits";
import { cutStalled } from "../http/cut-stalled.ts";
import { RETRY_AFTER_SECONDS } from "../http/map-error.ts";
import { appRouter } from "./router.ts";
import type { Context } from "./trpc.ts";

const PREFIX = "/api/trpc";
const JSON_TYPE = "application/json";
const VARY = "trpc-accept, accept";

// oxlint-disable-next-line no-underscore-dangle -- tRPC's own name for what describes a router
const { _config: config, procedures } = appRouter._def;
const pathsOf = (type: "query" | "subscription") =>
  new Set(
    Object.entries(procedures as unknown as Record<string, AnyTRPCProcedure>)
      // oxlint-disable-next-line no-underscore-dangle -- tRPC's own name for what describes a procedure
      .filter(([, procedure]) => procedure._def.type === type)
      .map(([path]) => path),
  );
const QUERIES = pathsOf("query");
const SUBSCRIPTIONS = pathsOf("subscription");

interface PathParams {
  path: string;
}

/**
 * The tRPC face. A plain query is answered here, with what tRPC's adapter answers but without the web request, response,
 * streams and signals that it makes of each, which cost several times the query itself; everything else is left to it.
 */
export function addTrpc(
  app: FastifyInstance,
  createContext: (request: FastifyRequest, reply: FastifyReply) => Context,
  { stalledReaderMs = STALLED_READER_MS } = {},
): void {
  void app.register((scope, _options, done) => {
    // tRPC parses bodies itself.
    scope.removeContentTypeParser(JSON_TYPE);
    scope.addContentTypeParser(JSON_TYPE, { parseAs: "string" }, (_request, body, parsed) => parsed(null, body));
    scope.addContentTypeParser("multipart/form-data", {}, (_request, body, parsed) => parsed(null, body));
    scope.all<{ Params: PathParams }>(`${PREFIX}/:path`, async (request, reply) => {
      const { path } = request.params;
      // No Request of the Fetch standard can have this method, so tRPC's adapter fails on it.
      if (request.method === "TRACE") return reply.code(405).send({ detail: "TRACE is not allowed" });
      const query = isPlainQuery(path, request) ? readInput(request) : undefined;
      if (query) return answer(reply, { path, input: query.input, ctx: createContext(request, reply) });
      if (SUBSCRIPTIONS.has(path)) cutStalled(reply.raw, stalledReaderMs);
      // What the adapter streams must not wait in a compressor, and its other answers are small.
      request.headers["x-no-compression"] = "1";
      await fastifyRequestHandler({
        router: appRouter,
        req: request,
        res: reply,
        path,
        createContext: () => createContext(request, reply),
        responseMeta: ({ errors }) => (errors.some(isAway) ? { headers: retryAfter() } : {}),
      });
      return reply;
    });
    done();
  });
}

/** Whether it is one GET of one query, that asks for nothing but JSON. */
function isPlainQuery(path: string, { method, headers }: FastifyRequest): boolean {
  return (
    method === "GET" &&
    QUERIES.has(path) &&
    headers["content-type"] === undefined &&
    headers["trpc-accept"] === undefined &&
    headers.accept?.includes("jsonl") !== true
  );
}

/** The query's input; undefined where tRPC has to look into what was asked, and to say what is wrong with it. */
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

async function answer(reply: FastifyReply, { path, input, ctx }: Call): Promise<string> {
  // As it is: Fastify would name a charset, which JSON has not.
  void reply.header("content-type", JSON_TYPE).header("vary", VARY).serializer(asItIs);
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
    if (isAway(error)) void reply.headers(retryAfter());
    const shape = getTRPCErrorShape({ config, error, type: "query", path, input, ctx });
    void reply.code(getHTTPStatusCodeFromError(error));
    return JSON.stringify({ error: shape });
  }
}

/** Those who share a read are answered one right after the other: what they get is put into words once. */
let latest: { data: unknown; text: string } | undefined;

function toText(data: unknown): string {
  // What is no object may equal another by chance, and costs nothing.
  if (typeof data !== "object" || latest?.data !== data) latest = { data, text: JSON.stringify({ result: { data } }) };
  return latest.text;
}

function asItIs(payload: unknown): string {
  return payload as string;
}

function isAway(error: TRPCError): boolean {
  return error.code === "SERVICE_UNAVAILABLE";
}

function retryAfter(): { "retry-after": string } {
  return { "retry-after": String(RETRY_AFTER_SECONDS) };
}
