import { setUpQueue, WORKER } from "../../../test/queue.ts";
import { isRunSomewhere, listOffers } from "./list-offers.ts";
import { reportWorker } from "./register-worker.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const offer = async (workerId: string, jobType: string, error: string | null = null) =>
  reportWorker(queue.db.sql, { ...WORKER, workerId, offers: [{ jobType, description: workerId, error }] });
const leave = async (interval: string) =>
  queue.db.sql`update workers set state = 'stopped', heartbeat_at = heartbeat_at - ${interval}::interval`;

test("of workers that disagree about a type, one that can run it counts", async () => {
  await offer("able", "t");
  await offer("unable", "t", "no such export");
  await offer("third", "broken", "syntax error");
  expect(await listOffers(queue.db.sql)).toMatchObject([
    { jobType: "broken", error: "syntax error" },
    { jobType: "t", description: "able", error: null },
  ]);
});

test("of workers that can run a type, the newest describes it", async () => {
  await offer("new", "t");
  await offer("old", "t");
  await queue.db.sql`update workers set started_at = started_at - interval '1 hour' where id = 'old'`;
  expect(await listOffers(queue.db.sql)).toMatchObject([{ jobType: "t", description: "new" }]);
});

test("a stopped worker offers nothing while another is alive, and without live workers the last offers stand", async () => {
  await offer("gone", "old");
  await leave("1 day");
  expect(await listOffers(queue.db.sql)).toMatchObject([{ jobType: "old" }]);
  await offer("here", "t");
  expect(await listOffers(queue.db.sql)).toMatchObject([{ jobType: "t" }]);
});

test("a type runs somewhere until ten minutes after its last worker's end", async () => {
  await offer("able", "t");
  await offer("unable", "broken", "syntax error");
  const isRun = async (jobType: string) => isRunSomewhere(queue.db.sql, jobType);
  expect([await isRun("t"), await isRun("broken"), await isRun("unknown")]).toEqual([true, false, false]);
  await leave("9 minutes");
  expect(await isRun("t")).toBe(true);
  await leave("2 minutes");
  expect(await isRun("t")).toBe(false);
});
