import { setProcessClock, setUpQueue, WRONG_CLOCKS } from "../../../test/queue.ts";
import { survey } from "../read/survey.ts";
import { fireSchedules } from "./fire-schedules.ts";
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
const setNext = async (sql: string) =>
  queue.db.sql.unsafe(`update schedules set next_run_at = clock_timestamp() ${sql}`);
const fire = async () => (await queue.inTx(fireSchedules)).made;

test("a tick makes exactly one job, however many workers fire it", async () => {
  await save();
  await setNext("- interval '1 second'");
  expect((await survey(queue.db.sql)).tickMs).toBeLessThanOrEqual(0);
  const made = await Promise.all(Array.from({ length: 10 }, async () => fire()));
  expect(made.reduce((sum, one) => sum + one, 0)).toBe(1);
  const jobs = await queue.take(5);
  expect(jobs).toMatchObject([{ jobType: "t", payload: { a: 1 }, ownerId: queue.ownerId }]);
  expect((await survey(queue.db.sql)).tickMs).toBeGreaterThan(0);
  expect(await fire()).toBe(0);
});

test("a tick that was fired before makes no second job", async () => {
  await save();
  await setNext("- interval '1 second'");
  const [before] = await queue.db.sql<{ next_run_at: Date }[]>`select next_run_at from schedules`;
  await fire();
  await queue.db.sql`update schedules set next_run_at = ${before?.next_run_at ?? null}`;
  expect(await fire()).toBe(0);
  expect(await queue.take(5)).toHaveLength(1);
});

test("missed ticks make no job, or one job for all of them", async () => {
  await save({ name: "skips", cron: "* * * * *", missedRuns: "skip" });
  await save({ name: "catches up", cron: "* * * * *", missedRuns: "run_once", jobType: "late" });
  await setNext("- interval '3 hours'");
  expect(await fire()).toBe(1);
  expect((await queue.take(9)).map((job) => job.jobType)).toEqual(["late"]);
  for (const { nextRunAt } of await listSchedules(queue.db.sql, queue.ownerId)) {
    expect(Date.parse(nextRunAt ?? "")).toBeGreaterThan(Date.now() - 1_000);
  }
});

test.each([
  ["time zone", "time_zone", "Mars/Olympus"],
  ["cron line", "cron", "99 * * * *"],
  ["job type", "job_type", "x".repeat(300)],
])(
  "a schedule whose stored %s is no longer usable is paused, and the other schedules tick on",
  async (_name, column, value) => {
    await save({ name: "bad" });
    await save({ name: "good", jobType: "good" });
    await queue.db.sql`update schedules set ${queue.db.sql({ [column]: value })} where name = 'bad'`;
    await setNext("- interval '1 second'");
    const { made, faults } = await queue.inTx(fireSchedules);
    expect(made).toBe(1);
    expect(faults).toMatchObject([{ name: "bad", message: expect.stringMatching(/timeZone|cron|jobType/) as string }]);
    expect((await queue.take(5)).map((job) => job.jobType)).toEqual(["good"]);
    expect(await listSchedules(queue.db.sql, queue.ownerId)).toMatchObject([
      { name: "bad", paused: true },
      { name: "good", paused: false },
    ]);
  },
);

test.each(WRONG_CLOCKS)("a tick is due by the database's clock when the process's clock says %s", async (now) => {
  setProcessClock(now);
  await save();
  expect(await fire()).toBe(0);
  await setNext("- interval '1 second'");
  expect(await fire()).toBe(1);
});
