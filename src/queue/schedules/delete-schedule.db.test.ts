import { setUpQueue } from "../../../test/queue.ts";
import { NotFoundError } from "../errors.ts";
import { deleteSchedule } from "./delete-schedule.ts";
import { fireSchedules } from "./fire-schedules.ts";
import { listSchedules } from "./list-schedules.ts";
import { saveSchedule } from "./save-schedule.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a deleted schedule is gone, and the jobs that it made stay", async () => {
  const { scheduleId } = await queue.inTx(async (tx) =>
    saveSchedule(tx, { ownerId: queue.ownerId, name: "s", cron: "0 * * * *", jobType: "t", payload: {} }),
  );
  await queue.db.sql`update schedules set next_run_at = clock_timestamp() - interval '1 second'`;
  await queue.inTx(fireSchedules);
  await expect(deleteSchedule(queue.db.sql, { ownerId: "other", scheduleId })).rejects.toThrow(NotFoundError);
  await deleteSchedule(queue.db.sql, { ownerId: queue.ownerId, scheduleId });
  expect(await listSchedules(queue.db.sql, queue.ownerId)).toEqual([]);
  expect(await queue.take()).toHaveLength(1);
  await expect(deleteSchedule(queue.db.sql, { ownerId: queue.ownerId, scheduleId })).rejects.toThrow(NotFoundError);
});
