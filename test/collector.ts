import { createServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

const valueSchema = z
  .looseObject({ stringValue: z.string(), intValue: z.number(), doubleValue: z.number(), boolValue: z.boolean() })
  .partial();
const attributesSchema = z
  .array(z.object({ key: z.string(), value: valueSchema }))
  .default([])
  .transform((list) =>
    Object.fromEntries(
      list.map(({ key, value }) => [
        key,
        value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue ?? null,
      ]),
    ),
  );
const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes: attributesSchema,
  events: z.array(z.object({ name: z.string(), attributes: attributesSchema })).default([]),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
  status: z.object({ code: z.number().optional(), message: z.string().optional() }).default({}),
});
const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: attributesSchema }),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
});

/** A span as received, with its service's name. */
export type SentSpan = z.infer<typeof spanSchema> & { service: unknown };

/** A local OTLP/HTTP collector. It parses spans sent as JSON, and keeps only the bytes of protobuf. */
export async function startCollector() {
  const spans: SentSpan[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders; body: Buffer }[] = [];
  const watchers = new Set<() => void>();
  let status = 200;
  let silent = false;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      requests.push({ path: request.url ?? "", headers: request.headers, body });
      if (request.headers["content-type"] === "application/json") spans.push(...readSpans(body));
      for (const check of watchers) check();
      if (!silent) response.writeHead(status, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    /** Sets the status of all further answers; null never answers. */
    answer(next: number | null): void {
      silent = next === null;
      status = next ?? 200;
    },
    /** Resolves once it has received this many requests. */
    async got(count: number): Promise<void> {
      return waitFor(watchers, () => requests.length >= count);
    },
    /** Resolves once it has received a span of each name. */
    async gotSpans(...names: string[]): Promise<void> {
      return waitFor(watchers, () => names.every((name) => spans.some((span) => span.name === name)));
    },
    clear(): void {
      spans.length = 0;
      requests.length = 0;
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

async function waitFor(watchers: Set<() => void>, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (!holds()) return;
      watchers.delete(check);
      resolve();
    };
    watchers.add(check);
    check();
  });
}

function readSpans(body: Buffer): SentSpan[] {
  return exportSchema
    .parse(JSON.parse(body.toString()))
    .resourceSpans.flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap((scope) =>
        scope.spans.map((span) => ({ ...span, service: resource.attributes["service.name"] })),
      ),
    );
}

/** The spans as a tree of names. Its roots are the spans whose parent is missing; siblings are ordered by start. */
export function toTree(spans: readonly SentSpan[], parents?: readonly string[]): object {
  const ids = new Set(spans.map((span) => span.spanId));
  const level = spans
    .filter(({ parentSpanId = "" }) => (parents ? parents.includes(parentSpanId) : !ids.has(parentSpanId)))
    .toSorted((a, b) => (BigInt(a.startTimeUnixNano) < BigInt(b.startTimeUnixNano) ? -1 : 1));
  return level.map((span) => {
    const below = toTree(spans, [span.spanId]) as unknown[];
    return below.length === 0 ? span.name : { [span.name]: below };
  });
}
