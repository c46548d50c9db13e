import { setProcessClock, setUpQueue, WORKER, WRONG_CLOCKS } from "../../../test/queue.ts";
import { pruneWorkers } from "../operate/prune.ts";
import { listWorkers } from "./list-workers.ts";
import { reportWorker } from "./register-worker.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("workers are listed with the types that they can run, newest heartbeat first", async () => {
  await reportWorker(queue.db.sql, {
    ...WORKER,
    workerId: "old",
    offers: [
      { jobType: "t", description: null, error: null },
      { jobType: "graph:broken", description: null, error: "no such export" },
    ],
  });
  await reportWorker(queue.db.sql, { ...WORKER, workerId: "new" });
  expect(await listWorkers(queue.db.sql)).toMatchObject([
    { workerId: "new", jobTypes: [] },
    { workerId: "old", jobTypes: ["t"] },
  ]);
});

test("a worker is alive until it stops or its last heartbeat is a minute old", async () => {
  for (const workerId of ["here", "silent", "stopped"]) await reportWorker(queue.db.sql, { ...WORKER, workerId });
  await queue.db.sql`update workers set heartbeat_at = heartbeat_at - interval '61 seconds' where id = 'silent'`;
  await queue.db.sql`update workers set state = 'stopped' where id = 'stopped'`;
  const alive = (await listWorkers(queue.db.sql)).filter((worker) => worker.alive);
  expect(alive.map(({ workerId }) => workerId)).toEqual(["here"]);
});

test.each(WRONG_CLOCKS)("a worker is alive by the database's clock when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await reportWorker(queue.db.sql, WORKER);
  await pruneWorkers(queue.db.sql);
  expect(await listWorkers(queue.db.sql)).toMatchObject([{ alive: true }]);
});
