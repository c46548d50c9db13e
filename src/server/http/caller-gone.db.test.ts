import { Agent, request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { listenOnFreePort } from "../../../test/open-app.ts";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
let app: FastifyInstance;
let port: number;
const lines: string[] = [];
const INFO = 30;

beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => {
  lines.length = 0;
  app = await buildApp({ db: queue.db, logLevel: "info", logTo: { write: (line) => void lines.push(line) } });
  port = await listenOnFreePort(app);
});
afterAll(async () => {
  await app.close();
  await queue.close();
});

const send = (path: string, body: string | null, agent: Agent): ClientRequest => {
  const headers = { host: `127.0.0.1:${port}`, "content-type": "application/json" };
  const sent = request({ host: "127.0.0.1", port, path, method: body === null ? "GET" : "POST", headers, agent });
  sent.end(body ?? undefined);
  return sent;
};
const responseTo = async (sent: ClientRequest) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("error", reject);
    sent.once("response", (response) => {
      response.resume();
      response.once("end", () => resolve(response));
    });
  });

test("25 requests over one connection leave no listeners on it", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let sent = 0; sent < 25; sent += 1) {
    expect((await responseTo(send("/api/trpc/jobs.counts", null, agent))).statusCode).toBe(200);
  }
  agent.destroy();
  await app.close();
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

test.each([
  ["/api/chat", { messages: [{ role: "user", content: "hello" }] }],
  ["/api/trpc/chat.send", { content: "hello" }],
])("a caller that disconnects from %s ends its wait without an error, and its job stays", async (path, body) => {
  const agent = new Agent();
  const sent = send(path, JSON.stringify(body), agent);
  const gone = new Promise((resolve) => sent.once("error", resolve));
  await expect.poll(() => lines.join(""), { timeout: 5_000 }).toContain("job submitted");
  sent.destroy();
  await gone;
  await app.close();
  agent.destroy();
  expect(lines.filter((line) => (JSON.parse(line) as { level: number }).level > INFO)).toEqual([]);
  const [row] = await queue.db.sql<
    { count: number }[]
  >`select count(*)::int as count from jobs where status = 'queued'`;
  expect(row?.count).toBeGreaterThan(0);
});

test("a closing server tells its waiting callers the status of their job", async () => {
  const agent = new Agent();
  const sent = send("/api/chat", JSON.stringify({ messages: [{ role: "user", content: "hello" }] }), agent);
  const response = responseTo(sent);
  await expect.poll(() => lines.join(""), { timeout: 5_000 }).toContain("job submitted");
  await app.close();
  expect((await response).statusCode).toBe(504);
  agent.destroy();
});
