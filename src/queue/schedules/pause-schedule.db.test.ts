import { setUpQueue } from "../../../test/queue.ts";
import { NotFoundError } from "../errors.ts";
import { survey } from "../read/survey.ts";
import { fireSchedules } from "./fire-schedules.ts";
import { pauseSchedule } from "./pause-schedule.ts";
import { saveSchedule } from "./save-schedule.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("another owner's schedule is not found", async () => {
  const { scheduleId } = await queue.inTx(async (tx) =>
    saveSchedule(tx, { ownerId: "other", name: "s", cron: "0 * * * *", jobType: "t", payload: {} }),
  );
  const pause = queue.inTx(async (tx) => pauseSchedule(tx, { ownerId: queue.ownerId, scheduleId }, true));
  await expect(pause).rejects.toThrow(NotFoundError);
});

test("a paused schedule does not tick, and a resumed one continues with its next tick after now", async () => {
  const { scheduleId } = await queue.inTx(async (tx) =>
    saveSchedule(tx, { ownerId: queue.ownerId, name: "s", cron: "0 * * * *", jobType: "t", payload: {} }),
  );
  const key = { ownerId: queue.ownerId, scheduleId };
  await queue.inTx(async (tx) => pauseSchedule(tx, key, true));
  await queue.db.sql`update schedules set next_run_at = clock_timestamp() - interval '2 hours'`;
  expect(await queue.inTx(fireSchedules)).toMatchObject({ looked: 0, made: 0 });
  expect((await survey(queue.db.sql)).tickMs).toBeNull();
  const { nextRunAt } = await queue.inTx(async (tx) => pauseSchedule(tx, key, false));
  expect(Date.parse(nextRunAt ?? "")).toBeGreaterThan(Date.now() - 1_000);
});
