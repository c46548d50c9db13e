import { setUpQueue } from "../../../test/queue.ts";
import { listSchedules } from "./list-schedules.ts";
import { saveSchedule } from "./save-schedule.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("an owner's schedules are listed by name, and no other owner's", async () => {
  for (const [ownerId, name] of [
    [queue.ownerId, "b"],
    [queue.ownerId, "a"],
    ["other", "c"],
  ] as const)
    await queue.inTx(async (tx) => saveSchedule(tx, { ownerId, name, cron: "@daily", jobType: "t", payload: {} }));
  const listed = await listSchedules(queue.db.sql, queue.ownerId);
  expect(listed.map(({ name }) => name)).toEqual(["a", "b"]);
});
