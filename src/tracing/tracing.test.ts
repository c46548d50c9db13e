import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { context, trace } from "@opentelemetry/api";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startCollector, toTree } from "../../test/collector.ts";
import { openTestTracer } from "../../test/tracer.ts";
import { openTracer } from "./index.ts";
import type { Span, Tracer } from "./index.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const CALLER = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`, tracestate: "vendor=a" };
const BEGUN_MS = Date.UTC(2026, 0, 1);

let collector: Awaited<ReturnType<typeof startCollector>>;
const open: Tracer[] = [];

beforeAll(async () => {
  collector = await startCollector();
});
afterEach(async () => {
  collector.answer(200);
  await Promise.all(open.splice(0).map(async (tracer) => tracer.close()));
  collector.clear();
});
afterAll(async () => collector.close());

async function begin(...[options]: Parameters<typeof openTestTracer> extends [string, (infer O)?] ? [O?] : never) {
  const opened = await openTestTracer(collector.url, options);
  open.push(opened.tracer);
  return opened;
}

test("a span joins the trace of its parent, in this or another process, and passes it on", async () => {
  const { tracer } = await begin();
  const outer = tracer.start("outer", { parent: CALLER, kind: "consumer", attributes: { a: 1, none: null } });
  expect(outer.traceId).toBe(TRACE_ID);
  expect(outer.context).toMatchObject({ tracestate: "vendor=a" });
  const inner = outer.run(() => tracer.start("inner"));
  const later = tracer.start("later", { parent: inner, startMs: BEGUN_MS });
  for (const span of [later, inner, outer]) span.end();
  await tracer.close();
  const [sentLater, sentInner, sentOuter] = collector.spans;
  expect(toTree(collector.spans)).toEqual([{ outer: [{ inner: ["later"] }] }]);
  expect(sentOuter).toMatchObject({
    traceId: TRACE_ID,
    parentSpanId: "b7ad6b7169203331",
    attributes: { a: 1 },
    kind: 5,
  });
  expect(sentOuter?.attributes).not.toHaveProperty("none");
  expect(outer.context["traceparent"]).toBe(`00-${TRACE_ID}-${sentOuter?.spanId}-01`);
  expect(sentLater).toMatchObject({ traceId: TRACE_ID, startTimeUnixNano: `${BEGUN_MS}000000` });
  expect(sentInner).toMatchObject({ traceId: TRACE_ID, kind: 1 });
});

test.each([[{}], [{ traceparent: "00-nonsense" }], [{ traceparent: `00-${"0".repeat(32)}-b7ad6b7169203331-01` }]])(
  "an invalid trace context starts a new trace: %j",
  async (parent) => {
    const { tracer } = await begin();
    const span = tracer.start("alone", { parent });
    expect(span.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(span.traceId).not.toBe("0".repeat(32));
    span.end();
    await tracer.close();
    expect(collector.spans.map(({ parentSpanId = "" }) => parentSpanId)).toEqual([""]);
  },
);

test("spans of other code belong to the innermost active span, unless that code opened a span itself", async () => {
  const { tracer } = await begin();
  const outer = tracer.start("outer");
  const part = tracer.start("part", { parent: outer });
  part.end();
  let innermost: Span | undefined;
  const theirs = trace.getTracer("theirs");
  outer.run(
    () => {
      theirs.startSpan("in outer").end();
      innermost = part;
      theirs.startActiveSpan("in part", (span) => {
        theirs.startSpan("in theirs").end();
        span.end();
      });
    },
    () => innermost,
  );
  outer.end();
  await tracer.close();
  expect(toTree(collector.spans)).toEqual([{ outer: [{ part: [{ "in part": ["in theirs"] }] }, "in outer"] }]);
  expect(trace.getSpan(context.active())).toBeUndefined();
});

test("a failed span holds the error only as describe returns it", async () => {
  const { tracer } = await begin({ describe: () => ({ name: "Refused", message: "key ***", stack: null }) });
  const span = tracer.start("work");
  span.fail(new Error("key hunter2"));
  span.end();
  await tracer.close();
  expect(collector.spans[0]).toMatchObject({
    status: { code: 2, message: "key ***" },
    attributes: { "error.type": "Refused" },
    events: [{ name: "exception", attributes: { "exception.message": "key ***", "exception.type": "Refused" } }],
  });
  expect(String(collector.requests[0]?.body)).not.toContain("hunter2");
});

test.each([
  ["http/json", "application/json"],
  ["http/protobuf", "application/x-protobuf"],
] as const)("the collector gets %s below its URL, with the headers and the service's name", async (protocol, type) => {
  const { tracer } = await begin({
    settings: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/otlp`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_HEADERS: { "x-key": "k" },
      OTEL_SERVICE_NAME: "my-service",
    },
  });
  tracer.start("the work").end();
  await tracer.close();
  const [request] = collector.requests;
  expect(request).toMatchObject({ path: "/otlp/v1/traces", headers: { "content-type": type, "x-key": "k" } });
  for (const text of ["the work", "my-service"]) expect(request?.body.includes(text)).toBe(true);
});

test.each([
  ["always_off", 1, CALLER, 0],
  ["always_on", 0, {}, 1],
  ["traceidratio", 0, CALLER, 0],
  ["traceidratio", 1, {}, 1],
  ["parentbased_always_off", 1, CALLER, 1],
  ["parentbased_always_off", 1, {}, 0],
  ["parentbased_traceidratio", 0, {}, 0],
  ["parentbased_always_on", 1, { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-00` }, 0],
] as const)("%s by %d of %j sends %d", async (sampler, ratio, parent, count) => {
  const { tracer } = await begin({ settings: { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: ratio } });
  const span = tracer.start("work", { parent });
  // A span that is not sampled still passes on the decision to the next process.
  expect(span.context["traceparent"]).toMatch(count === 1 ? /-01$/ : /-00$/);
  span.end();
  await tracer.close();
  expect(collector.spans).toHaveLength(count);
});

test("a refusing collector is logged once, and so is its recovery; neither is an error", async () => {
  const { tracer, lines } = await begin();
  const batch = async (name: string, requests: number) => {
    for (let index = 0; index < 512; index += 1) tracer.start(name).end();
    await collector.got(requests);
  };
  collector.answer(400);
  await batch("refused", 1);
  await batch("refused", 2);
  await expect.poll(() => lines.length).toBe(1);
  collector.answer(200);
  await batch("taken", 3);
  await expect.poll(() => lines.length).toBe(2);
  await tracer.close();
  expect(lines).toEqual([
    [{ collector: collector.url, reason: 400 }, "spans cannot be sent and are dropped until they can be"],
    [{ collector: collector.url }, "spans are sent again"],
  ]);
});

test("a silent collector costs a bounded number of spans, and closing waits at most 2 s", async () => {
  const { tracer, lines } = await begin({ exportTimeoutMs: 8_000 });
  collector.answer(null);
  for (let index = 0; index < 20_000; index += 1) tracer.start("work").end();
  await collector.got(1);
  await tracer.close();
  // close() did not wait for the batch in flight, which takes 8 s.
  expect(lines).toEqual([]);
  expect(collector.spans.length).toBeGreaterThan(0);
  expect(collector.spans.length).toBeLessThan(4_000);
  // The batch in flight is given up after `exportTimeoutMs`.
  await expect.poll(() => lines.length, { timeout: 20_000 }).toBe(1);
}, 30_000);

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const LOADER = `import { writeSync } from "node:fs";
export async function load(url, context, next) {
  const name = /node_modules\\/(@opentelemetry\\/[a-z-]+)\\//.exec(url)?.[1];
  if (name) writeSync(1, name + "\\n");
  return next(url, context);
}`;

/** Opens a tracer with these settings in another process; returns the OpenTelemetry packages that it loads. */
function loadedWith(settings: object): Set<string> {
  const loader = `data:text/javascript,${encodeURIComponent(LOADER)}`;
  const script = `import { register } from "node:module"; register(${JSON.stringify(loader)});
    const { openTracer } = await import("#tracing"); await import("#worker");
    await openTracer({ settings: ${JSON.stringify(settings)}, serviceName: "s", instanceId: "i" });`;
  const flags = ["--conditions=source", "--import", "tsx", "--input-type=module"];
  const { stdout, status, stderr } = spawnSync(process.execPath, [...flags, "-e", script], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return new Set(stdout.split("\n").filter((line) => line !== ""));
}

test("without an endpoint nothing is traced and no package of OpenTelemetry's SDK is loaded", async () => {
  const settings = {
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_TRACES_SAMPLER: "always_on",
    OTEL_TRACES_SAMPLER_ARG: 1,
  } as const;
  const log = { warn: () => undefined, info: () => undefined };
  const describe = () => ({ name: "", message: "" });
  expect(await openTracer({ settings, serviceName: "s", instanceId: "i", describe, log })).toBeUndefined();
  expect(loadedWith(settings)).toEqual(new Set());
  const loaded = loadedWith({ ...settings, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" });
  expect(loaded).toContain("@opentelemetry/sdk-trace");
  expect(loaded).not.toContain("@opentelemetry/exporter-trace-otlp-http");
}, 30_000);
