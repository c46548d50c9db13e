import { setUpQueue } from "../../../test/queue.ts";
import { NotFoundError } from "../errors.ts";
import { listSchedules } from "./list-schedules.ts";
import { pauseSchedule } from "./pause-schedule.ts";
import { runScheduleNow } from "./run-schedule-now.ts";
import { saveSchedule } from "./save-schedule.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a schedule makes a job now, also while it is paused, and keeps its next tick", async () => {
  const { scheduleId, nextRunAt } = await queue.inTx(async (tx) =>
    saveSchedule(tx, { ownerId: queue.ownerId, name: "s", cron: "0 * * * *", jobType: "t", payload: { a: 1 } }),
  );
  const key = { ownerId: queue.ownerId, scheduleId };
  await queue.inTx(async (tx) => pauseSchedule(tx, key, true));
  await queue.inTx(async (tx) => runScheduleNow(tx, key));
  expect(await queue.take(5)).toMatchObject([{ jobType: "t", payload: { a: 1 } }]);
  expect(await listSchedules(queue.db.sql, queue.ownerId)).toMatchObject([{ nextRunAt }]);
});

test("another owner's schedule is not found", async () => {
  const { scheduleId } = await queue.inTx(async (tx) =>
    saveSchedule(tx, { ownerId: queue.ownerId, name: "s", cron: "0 * * * *", jobType: "t", payload: {} }),
  );
  const run = queue.inTx(async (tx) => runScheduleNow(tx, { ownerId: "other", scheduleId }));
  await expect(run).rejects.toThrow(NotFoundError);
});
