import { setUpQueue } from "../../../test/queue.ts";
import { NotFoundError } from "../errors.ts";
import { complete } from "../settle/complete.ts";
import { appendEvents } from "./append-events.ts";
import { readEvents } from "./read-events.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("events are read in order from any number, each once, and end with the closing event", async () => {
  const { jobId } = await queue.add();
  const job = await queue.takeOne();
  const append = async (after: number, count: number) =>
    queue.db.call(async (sql) =>
      appendEvents(sql, job, {
        after,
        events: Array.from({ length: count }, (_, n) => ({ type: "token", data: { n: after + n } })),
      }),
    );
  expect(await append(0, 3)).toBe(3);
  expect(await append(3, 2)).toBe(5);
  expect(await append(3, 2)).toBe(5);
  const page = async (after: number, limit = 100) => readEvents(queue.db.sql, queue.keyOf(jobId), { after, limit });
  expect((await page(2)).events.map((event) => event.seq)).toEqual([3, 4, 5]);
  expect((await page(2)).closed).toBe(false);
  await queue.inTx(async (tx) => complete(tx, job));
  expect(await page(0, 2)).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }], closed: false });
  expect(await page(4)).toMatchObject({ events: [{ seq: 5 }, { seq: 6, type: "completed" }], closed: true });
  expect(await page(6)).toEqual({ events: [], closed: true });
  await expect(readEvents(queue.db.sql, { ownerId: "other", jobId }, { after: 0, limit: 1 })).rejects.toThrow(
    NotFoundError,
  );
});
