import { cancelTurn } from "#conversation";
import { NotFoundError } from "#queue";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { deferred } from "../../../test/deferred.ts";
import { openQueue } from "../../../test/queue.ts";
import { JobReads } from "./job-reads.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

/** Reads whose statements are recorded. Each result is held back until `release`. */
const openReads = () => {
  const gates: { back: Promise<void>; release: () => void }[] = [];
  const held = new Proxy(queue.db, {
    get: (db, name) =>
      name === "call" || name === "read"
        ? async (work: Parameters<typeof db.call>[0]) => {
            const [back, gate] = [deferred(), deferred()];
            gates.push({ back: back.promise, release: () => gate.resolve() });
            const value = await db.call(work);
            back.resolve();
            await gate.promise;
            return value;
          }
        : (Reflect.get(db, name, db) as unknown),
  });
  return { reads: new JobReads({ db: held, slowReads: held }), gates };
};
const gateOf = async (gates: ReturnType<typeof openReads>["gates"], index: number) => {
  await expect.poll(() => gates.length).toBeGreaterThan(index);
  const gate = gates[index];
  if (!gate) throw new Error("no such statement");
  await gate.back;
  return gate;
};

test("concurrent status reads share a statement, and each owner sees only their own jobs", async () => {
  const [mine, theirs] = [await queue.add(), await queue.add({ ownerId: "other" })];
  const { reads, gates } = openReads();
  const ask = async (ownerId: string, jobId: string) =>
    reads.status({ ownerId, jobId }).then(
      (status) => status.jobId,
      (error: unknown) => error,
    );
  const asked = Promise.all([
    ask(queue.ownerId, mine.jobId),
    ask("other", mine.jobId),
    ask("other", theirs.jobId),
    ask(queue.ownerId, theirs.jobId),
    ask(queue.ownerId, mine.jobId),
    ask(queue.ownerId, randomUUID()),
  ]);
  (await gateOf(gates, 0)).release();
  expect(await asked).toEqual([
    mine.jobId,
    expect.any(NotFoundError),
    theirs.jobId,
    expect.any(NotFoundError),
    mine.jobId,
    expect.any(NotFoundError),
  ]);
  expect(gates).toHaveLength(1);
});

test("a status read after a write sees the write, even while an earlier read of the same job runs", async () => {
  const { jobId } = await queue.add();
  const key = { ownerId: queue.ownerId, jobId };
  const { reads, gates } = openReads();
  const before = reads.status(key);
  const first = await gateOf(gates, 0);
  await queue.db.transaction(async (tx) => cancelTurn(tx, key));
  const after = reads.status(key);
  first.release();
  expect((await before).status).toBe("queued");
  (await gateOf(gates, 1)).release();
  expect((await after).status).toBe("cancelled");
});

test("a list read after a write sees the write; only equal queries of the same owner share a statement", async () => {
  const { jobId } = await queue.add();
  await queue.add({ ownerId: "other" });
  const { reads, gates } = openReads();
  const list = async (ownerId: string, filter: object = {}) =>
    (await reads.list({ ...filter, ownerId })).jobs.map((job) => [job.jobId === jobId, job.status]);
  const before = Promise.all([
    list(queue.ownerId),
    list(queue.ownerId),
    list("other"),
    list(queue.ownerId, { status: "failed" }),
  ]);
  const first = [await gateOf(gates, 0), await gateOf(gates, 1), await gateOf(gates, 2)];
  await queue.db.transaction(async (tx) => cancelTurn(tx, { ownerId: queue.ownerId, jobId }));
  const after = list(queue.ownerId);
  for (const gate of first) gate.release();
  expect(await before).toEqual([[[true, "queued"]], [[true, "queued"]], [[false, "queued"]], []]);
  (await gateOf(gates, 3)).release();
  expect(await after).toEqual([[true, "cancelled"]]);
  expect(gates).toHaveLength(4);
});
