import { getThread, submitTurn } from "#conversation";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Message, Thread } from "#shared/contracts";
import { MAX_CONTENT_CHARS, MAX_THREAD_PAGE_BYTES } from "#shared/limits";
import { openQueue } from "../../../test/queue.ts";
import { buildApp } from "../app.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
let app: FastifyInstance;
beforeAll(async () => {
  queue = await openQueue();
  app = await buildApp({ db: queue.db, logLevel: "silent" });
});
beforeEach(async () => queue.clear());
afterAll(async () => {
  await app.close();
  await queue.close();
});

/** A thread of so many messages besides the first one, each of so many characters of three bytes. */
async function seed(count: number, chars: number): Promise<string> {
  const turn = { ownerId: queue.ownerId, content: "the first" };
  const { threadId, decisionSetId } = await queue.db.transaction(async (tx) => submitTurn(tx, turn));
  await queue.db.sql`
    insert into messages (id, decision_set_id, role, content)
    select gen_random_uuid(), ${decisionSetId}, 'user', n || ' ' || repeat('€', ${chars}::int)
    from generate_series(1, ${count}::int) as n order by n`;
  return threadId;
}
const get = async (threadId: string, cursor?: string | null) => {
  const input = encodeURIComponent(JSON.stringify({ threadId, cursor }));
  const response = await app.inject({ url: `/api/trpc/threads.get?input=${input}` });
  expect(response.statusCode, response.body).toBe(200);
  return {
    thread: response.json<{ result: { data: Thread } }>().result.data,
    bytes: Buffer.byteLength(response.body),
  };
};
const numbersOf = (messages: readonly Message[]) => messages.map(({ content }) => content.split(" ")[0]);

test("an ordinary thread is one page", async () => {
  const { thread } = await get(await seed(20, 10));
  expect(thread.messages).toHaveLength(21);
  expect(thread.olderCursor).toBeNull();
});

test("a long thread comes in pages of bounded size, newest first, without gap or repeat", async () => {
  const threadId = await seed(60, MAX_CONTENT_CHARS - 10);
  const seen: Message[][] = [];
  let cursor: string | null | undefined;
  do {
    const { thread, bytes } = await get(threadId, cursor);
    expect(bytes).toBeLessThan(MAX_THREAD_PAGE_BYTES + 20_000);
    expect(thread.jobs).toHaveLength(1);
    seen.unshift(thread.messages);
    cursor = thread.olderCursor;
  } while (cursor !== null);
  expect(seen).toHaveLength(3);
  expect(numbersOf(seen.flat())).toEqual(["the", ...Array.from({ length: 60 }, (_, n) => String(n + 1))]);
  // Whoever writes the whole conversation as a document still gets it.
  const whole = await getThread(queue.db.sql, { ownerId: queue.ownerId, threadId });
  expect({ messages: whole.messages.length, olderCursor: whole.olderCursor }).toEqual({
    messages: 61,
    olderCursor: null,
  });
});

test("many small messages are bounded as well, and one that is larger than a page is a page", async () => {
  const threadId = await seed(10_000, 1);
  const { thread, bytes } = await get(threadId);
  expect(thread.olderCursor).not.toBeNull();
  expect(bytes).toBeLessThan(MAX_THREAD_PAGE_BYTES);
  await queue.db.sql`
    insert into messages (id, decision_set_id, role, content)
    select gen_random_uuid(), decision_set_id, 'assistant', repeat('x', ${MAX_THREAD_PAGE_BYTES}::int) from messages limit 1`;
  expect((await get(threadId)).thread.messages).toHaveLength(1);
});

test("a cursor that is none is refused by name", async () => {
  const input = encodeURIComponent(JSON.stringify({ threadId: crypto.randomUUID(), cursor: "x" }));
  const response = await app.inject({ url: `/api/trpc/threads.get?input=${input}` });
  expect(response.statusCode).toBe(400);
  expect(response.body).toContain("cursor must be an olderCursor of threads.get");
});
