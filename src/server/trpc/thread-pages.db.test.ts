import { getThread, submitTurn } from "#conversation";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Message, Thread } from "#shared/contracts";
import { MAX_CONTENT_CHARS, MAX_THREAD_PAGE_BYTES } from "#shared/limits";
import { openApp, trpcUrl } from "../../../test/open-app.ts";

let api: Awaited<ReturnType<typeof openApp>>;
beforeAll(async () => {
  api = await openApp();
});
beforeEach(async () => api.queue.clear());
afterAll(async () => api.close());

/** Creates a thread with `count` messages after the first one. Each has `chars` characters of 3 bytes. */
async function seed(count: number, chars: number): Promise<string> {
  const turn = { ownerId: api.queue.ownerId, content: "the first" };
  const { threadId, decisionSetId } = await api.queue.db.transaction(async (tx) => submitTurn(tx, turn));
  await api.queue.db.sql`
    insert into messages (id, decision_set_id, role, content)
    select gen_random_uuid(), ${decisionSetId}, 'user', n || ' ' || repeat('€', ${chars}::int)
    from generate_series(1, ${count}::int) as n order by n`;
  return threadId;
}
const get = async (threadId: string, cursor?: string | null) => {
  const response = await api.app.inject({ url: trpcUrl("threads.get", { threadId, cursor }) });
  expect(response.statusCode, response.body).toBe(200);
  return {
    thread: response.json<{ result: { data: Thread } }>().result.data,
    bytes: Buffer.byteLength(response.body),
  };
};
const numbersOf = (messages: readonly Message[]) => messages.map(({ content }) => content.split(" ")[0]);

test("a short thread fits in one page", async () => {
  const { thread } = await get(await seed(20, 10));
  expect(thread.messages).toHaveLength(21);
  expect(thread.olderCursor).toBeNull();
});

test("a long thread is read in pages of bounded size, newest first, without gaps or duplicates", async () => {
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
  // The export reads the whole conversation in one call.
  const whole = await getThread(api.queue.db.sql, { ownerId: api.queue.ownerId, threadId });
  expect({ messages: whole.messages.length, olderCursor: whole.olderCursor }).toEqual({
    messages: 61,
    olderCursor: null,
  });
});

test("a page of small messages is bounded, and a message larger than a page is a page of its own", async () => {
  const threadId = await seed(10_000, 1);
  const { thread, bytes } = await get(threadId);
  expect(thread.olderCursor).not.toBeNull();
  expect(bytes).toBeLessThan(MAX_THREAD_PAGE_BYTES);
  await api.queue.db.sql`
    insert into messages (id, decision_set_id, role, content)
    select gen_random_uuid(), decision_set_id, 'assistant', repeat('x', ${MAX_THREAD_PAGE_BYTES}::int) from messages limit 1`;
  expect((await get(threadId)).thread.messages).toHaveLength(1);
});

test("an invalid cursor is refused, and the answer names it", async () => {
  expect(await api.query("threads.get", { threadId: crypto.randomUUID(), cursor: "x" })).toMatchObject({
    status: 400,
    message: "cursor must be an olderCursor of threads.get",
  });
});
