import { HOUR_MS, setProcessClock, setUpQueue, WORKER, WRONG_CLOCKS } from "../../../test/queue.ts";
import { InvalidScheduleError } from "../errors.ts";
import { reportWorker } from "../fleet/register-worker.ts";
import { listSchedules } from "./list-schedules.ts";
import { saveSchedule } from "./save-schedule.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const save = async (schedule: object = {}) =>
  queue.inTx(async (tx) =>
    saveSchedule(tx, {
      ownerId: queue.ownerId,
      name: "s",
      cron: "0 * * * *",
      jobType: "t",
      payload: { a: 1 },
      ...schedule,
    }),
  );

test("saving a name again changes the schedule and keeps its id", async () => {
  const { scheduleId } = await save();
  expect(await save({ cron: "5 4 * * *", timeZone: "Europe/Berlin" })).toMatchObject({ scheduleId, cron: "5 4 * * *" });
  expect(await listSchedules(queue.db.sql, queue.ownerId)).toHaveLength(1);
  await expect(save({ cron: "0 0 30 2 *" })).rejects.toThrow(/never ticks/);
});

test.each([
  ["name", { name: "" }],
  ["jobType", { jobType: "x".repeat(201) }],
  ["queue", { queue: "a\u0000" }],
  ["priority", { priority: 2 ** 31 }],
  ["payload", { payload: "\uD83D" }],
])("a bad %s is refused by name, so that no tick fails because of it", async (field, wrong) => {
  await expect(save(wrong)).rejects.toThrow(new RegExp(field));
  expect(await listSchedules(queue.db.sql, queue.ownerId)).toEqual([]);
});

const offer = async (workerId: string, offers: { jobType: string; error?: string }[]) =>
  reportWorker(queue.db.sql, {
    ...WORKER,
    workerId,
    offers: offers.map(({ jobType, error = null }) => ({ jobType, error, description: null })),
  });

test("a job type that no live worker runs is refused with the known types", async () => {
  await offer("one", [{ jobType: "t" }, { jobType: "graph:broken", error: "no such export" }]);
  await offer("other", [{ jobType: "export" }]);
  await offer("gone", [{ jobType: "old" }]);
  await queue.db.sql`update workers set state = 'stopped' where id = 'gone'`;
  await expect(save({ jobType: "tt" })).rejects.toThrow(InvalidScheduleError);
  await expect(save({ jobType: "tt" })).rejects.toThrow(/jobType "tt" is run by no worker: use export, t,/);
  await expect(save({ jobType: "old" })).rejects.toThrow(/jobType "old" is run by no worker/);
  await expect(save({ jobType: "graph:broken" })).rejects.toThrow(/cannot be run: no such export/);
  expect(await listSchedules(queue.db.sql, queue.ownerId)).toEqual([]);
  expect(await save()).toMatchObject({ jobType: "t" });
});

test("without live workers the last workers' types are known, and before the first worker every type is accepted", async () => {
  expect(await save({ name: "early", jobType: "anything" })).toMatchObject({ jobType: "anything" });
  await offer("one", [{ jobType: "t" }]);
  await queue.db.sql`update workers set state = 'stopped', heartbeat_at = clock_timestamp() - interval '1 day'`;
  expect(await save()).toMatchObject({ jobType: "t" });
  await expect(save({ jobType: "tt" })).rejects.toThrow(/use t,/);
});

test.each(WRONG_CLOCKS)("the first tick follows the database's clock when the process's clock says %s", async (now) => {
  const [clock] = await queue.db.sql<{ ms: number }[]>`select (extract(epoch from now()) * 1000)::float8 as ms`;
  setProcessClock(now);
  const { nextRunAt } = await save();
  const nextMs = Date.parse(nextRunAt ?? "") - (clock?.ms ?? 0);
  expect(nextMs).toBeGreaterThan(0);
  expect(nextMs).toBeLessThanOrEqual(HOUR_MS);
});
