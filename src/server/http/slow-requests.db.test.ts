import { appendEvents } from "#queue/events";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { listenOnFreePort } from "../../../test/open-app.ts";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
const closes: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterEach(async () => {
  for (const close of closes.splice(0).toReversed()) await close();
});
afterAll(async () => queue.close());

async function startApi(requestTimeoutMs: number): Promise<number> {
  const app = await buildApp({ db: queue.db, logLevel: "silent", requestTimeoutMs });
  closes.push(async () => app.close());
  return listenOnFreePort(app);
}

/** Opens a socket, sends the head of a request, and collects the answer. */
async function open(port: number, lines: string[]): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  socket.on("error", () => undefined);
  closes.push(async () => socket.destroy());
  socket.write([...lines, "host: 127.0.0.1", "", ""].join("\r\n"));
  return { socket, text: () => text };
}

test("a slow body is refused; an older stream and an older waiting caller stay connected", async () => {
  const port = await startApi(300);
  await queue.add();
  const job = await queue.takeOne();
  const stream = await open(port, [`GET /api/jobs/${job.jobId}/events HTTP/1.1`]);
  const asked = JSON.stringify({ messages: [{ role: "user", content: "Predict churn" }] });
  const wait = await open(port, [
    "POST /api/chat HTTP/1.1",
    "content-type: application/json",
    `content-length: ${asked.length}`,
  ]);
  wait.socket.write(asked);
  const slow = await open(port, [
    "POST /api/chat/async HTTP/1.1",
    "content-type: application/json",
    "content-length: 1000",
  ]);
  const sending = setInterval(() => slow.socket.write(" "), 20);
  try {
    await once(slow.socket, "close");
  } finally {
    clearInterval(sending);
  }
  expect(slow.text()).toMatch(/^HTTP\/1\.1 408 /);
  // Both are older than the refused request: a timeout on answers would have closed them first.
  await queue.db.call(async (sql) => appendEvents(sql, job, { after: 0, events: [{ type: "note", data: "alive" }] }));
  await expect.poll(stream.text, { timeout: 10_000 }).toContain('"alive"');
  await queue.failOne(await queue.takeOne(), true);
  await expect.poll(wait.text, { timeout: 10_000 }).toMatch(/^HTTP\/1\.1 500 [\s\S]*The job failed: boom/);
});

test("a slow head is refused", async () => {
  const port = await startApi(300);
  const slow = await open(port, ["GET /healthz HTTP/1.1"]);
  slow.socket.write("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n");
  const sending = setInterval(() => slow.socket.write("x-slow: 1\r\n"), 20);
  try {
    await once(slow.socket, "close");
  } finally {
    clearInterval(sending);
  }
  expect(slow.text()).toMatch(/HTTP\/1\.1 408 /);
});
