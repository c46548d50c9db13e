import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startCollector, toTree } from "../test/collector.ts";
import { build, endAll, freePort, makeFolder, run } from "./start-process.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const CALLER_ID = "b7ad6b7169203331";

let collector: Awaited<ReturnType<typeof startCollector>>;

beforeAll(build);
beforeAll(async () => {
  collector = await startCollector();
});
afterEach(async () => endAll());
afterAll(async () => collector.close());

async function startReady(settings: Record<string, string>) {
  const port = await freePort();
  const one = run("start", { PORT: port, DATA_DIR: join(makeFolder(), "data"), ...settings });
  await one.says(/Threadmill ready at /);
  return {
    ...one,
    chat: async () =>
      fetch(`http://127.0.0.1:${port}/api/chat`, {
        method: "POST",
        headers: { "content-type": "application/json", traceparent: `00-${TRACE_ID}-${CALLER_ID}-01` },
        body: JSON.stringify({ messages: [{ role: "user", content: "Plan a shop in Go" }] }),
      }),
  };
}

test("one trace connects the caller, the submit, the claim, the run and each node", async () => {
  const one = await startReady({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  });
  expect((await one.chat()).status).toBe(200);
  // The processes flush their spans before they exit.
  one.signal("SIGINT");
  expect(await one.ended).toEqual({ code: 0, signal: null });
  await collector.gotSpans("job submit", "job run ml_workflow");
  const spans = collector.spans.filter((span) => span.traceId === TRACE_ID);
  expect(toTree(spans)).toEqual([
    {
      "job submit": [{ "job run ml_workflow": ["claim", { graph: ["node intake", "node plan", "node compose"] }] }],
    },
  ]);
  const bySpan = new Map(spans.map((span) => [span.name, span]));
  expect(bySpan.get("job submit")).toMatchObject({ service: "threadmill-server", parentSpanId: CALLER_ID });
  expect(bySpan.get("node compose")).toMatchObject({ service: "threadmill-worker" });
});

test("an unreachable collector causes one log line per process and no other effect", async () => {
  const one = await startReady({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
    OTEL_EXPORTER_OTLP_TIMEOUT: "500",
    LOG_LEVEL: "warn",
  });
  for (let count = 0; count < 5; count += 1) expect((await one.chat()).status).toBe(200);
  await one.says(/spans cannot be sent/, 2);
  expect((await one.chat()).status).toBe(200);
  one.signal("SIGINT");
  expect(await one.ended).toEqual({ code: 0, signal: null });
  expect(one.stderr().match(/spans cannot be sent/g)).toHaveLength(2);
  expect(one.stderr()).not.toMatch(/unhandled|uncaught/i);
});
