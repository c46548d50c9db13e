import { HOUR_MS, setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../test/queue.ts";
import { lockThread } from "#queue";
import { deferred } from "../../test/deferred.ts";
import { takeIdleThreads } from "./idle-threads.ts";
import type { NewTurn } from "./new-turn.ts";
import { submitTurn } from "./submit-turn.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const submit = async (turn: Partial<NewTurn> = {}) =>
  queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello", ...turn }));
const take = async (limit = 10) => queue.inTx(async (tx) => takeIdleThreads(tx, HOUR_MS, limit));
const age = async () =>
  queue.db
    .sql`update decision_sets set updated_at = updated_at - interval '2 hours', pruned_at = pruned_at - interval '2 hours'`;

test("an idle thread is taken once after each use", async () => {
  const { threadId } = await submit();
  await queue.finish(await queue.takeOne());
  expect(await take()).toEqual([]);
  await age();
  expect(await take()).toEqual([threadId]);
  expect(await take()).toEqual([]);
  await submit({ threadId });
  await queue.finish(await queue.takeOne());
  await age();
  expect(await take()).toEqual([threadId]);
});

test("a thread with an unfinished job is not idle", async () => {
  await submit();
  await age();
  expect(await take()).toEqual([]);
});

test("at most as many idle threads are taken as the limit says, the longest idle first", async () => {
  const [first, second] = [await submit(), await submit()];
  for (const job of await queue.take(2)) await queue.finish(job);
  await age();
  expect(await take(1)).toEqual([first.threadId]);
  expect(await take(1)).toEqual([second.threadId]);
});

test("a submit that holds the thread's lock and the taking of idle threads do not deadlock", async () => {
  const { threadId } = await submit();
  await queue.finish(await queue.takeOne());
  await age();
  const locked = deferred();
  const { sql } = queue.db;
  const isBlocked = async () =>
    (await sql`select 1 from pg_locks where locktype = 'advisory' and not granted`).length > 0;
  const submitting = sql.begin(async (tx) => {
    await lockThread(tx, threadId);
    locked.resolve();
    await expect.poll(isBlocked).toBe(true);
    await tx`update decision_sets set updated_at = clock_timestamp() where thread_id = ${threadId}`;
  });
  await locked.promise;
  const taken = sql.begin(async (tx) => takeIdleThreads(tx, HOUR_MS, 10));
  await submitting;
  expect(await taken).toEqual([]);
});

test.each(WRONG_CLOCKS)(
  "idleness is measured by the database's clock when the process's clock says %s",
  async (now) => {
    await submit();
    await queue.finish(await queue.takeOne());
    setProcessClock(now);
    expect(await take()).toEqual([]);
  },
);
