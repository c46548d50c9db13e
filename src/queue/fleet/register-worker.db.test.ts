import { setUpQueue, WORKER } from "../../../test/queue.ts";
import { listWorkers } from "./list-workers.ts";
import { reportWorker } from "./register-worker.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const report = async (more: Partial<typeof WORKER> = {}) => reportWorker(queue.db.sql, { ...WORKER, ...more });
const contactSince = async () => {
  const [row] = await queue.db.sql<{ contact_since: string }[]>`select contact_since from workers`;
  return row?.contact_since;
};
/** Moves the worker's last report into the past. */
const age = async (interval: string) =>
  queue.db.sql`update workers set heartbeat_at = heartbeat_at - ${interval}::interval`;

test("a worker enters the registry once, and its later reports renew the entry", async () => {
  await report({ running: 0 });
  await report({ running: 3, state: "draining" });
  expect(await listWorkers(queue.db.sql)).toMatchObject([{ workerId: "w", running: 3, state: "draining" }]);
});

test("a worker that missed two heartbeats begins its contact with the database anew", async () => {
  await report();
  const since = await contactSince();
  await age("15 seconds");
  await report();
  expect(await contactSince()).toEqual(since);
  await age("25 seconds");
  await report();
  expect(await contactSince()).not.toEqual(since);
});
