import { openQueue } from "../../../test/queue.ts";
import { InvalidScheduleError, NotFoundError } from "../errors.ts";
import { reportWorker } from "../fleet/register-worker.ts";
import { survey } from "../read/survey.ts";
import { nextTick } from "./next-tick.ts";
import { fireSchedules, listSchedules, pauseSchedule, runScheduleNow, saveSchedule } from "./schedules.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;
beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const save = async (schedule: object = {}) =>
  queue.db.transaction(async (tx) =>
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
const fire = async () => (await queue.db.transaction(fireSchedules)).made;

test.each([
  ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]],
  ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]],
  ["0 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", ["2026-10-25T01:00:00.000Z", "2026-10-25T02:00:00.000Z"]],
  ["30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", ["2026-11-01T05:30:00.000Z", "2026-11-02T06:30:00.000Z"]],
  ["30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", ["2026-03-08T07:00:00.000Z", "2026-03-09T06:30:00.000Z"]],
  ["30 59 1 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["2026-03-29T00:59:30.000Z", "2026-03-29T23:59:30.000Z"]],
  ["15 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:15.000Z", "2026-10-26T01:30:15.000Z"]],
  [
    "45 1 * * *",
    "Australia/Lord_Howe",
    "2026-04-04T12:00:00Z",
    ["2026-04-04T14:45:00.000Z", "2026-04-05T15:15:00.000Z"],
  ],
])("%s in %s ticks once a day over a change of the clocks", (cron, timeZone, from, ticks) => {
  let after = from;
  for (const tick of ticks) {
    after = nextTick(cron, timeZone, after) ?? "never";
    expect(after).toBe(tick);
  }
});

test.each(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"])(
  "in %s a line that ticks evenly does so over every change of the clocks",
  (timeZone) => {
    for (const from of [
      "2026-02-14",
      "2026-03-08",
      "2026-03-28",
      "2026-04-04",
      "2026-10-03",
      "2026-10-25",
      "2026-10-31",
    ]) {
      for (const [cron, stepMs] of [
        ["*/15 * * * *", 900_000],
        ["*/20 * * * * *", 20_000],
      ] as const) {
        let after = nextTick(cron, timeZone, `${from}T00:00:00.000Z`) ?? "";
        for (let tick = 0; tick < 140; tick += 1) {
          const next = nextTick(cron, timeZone, after) ?? "";
          expect(Date.parse(next) - Date.parse(after), `${cron} after ${after}`).toBe(stepMs);
          after = next;
        }
      }
    }
  },
);

test.each([
  ["* * * *", "UTC", /five fields/],
  ["61 * * * *", "UTC", /cron does not parse/],
  ["* * * * *", "Mars/Olympus", /timeZone/],
])("%s in %s is refused", (cron, timeZone, message) => {
  expect(() => nextTick(cron, timeZone, "2026-01-01T00:00:00Z")).toThrow(InvalidScheduleError);
  expect(() => nextTick(cron, timeZone, "2026-01-01T00:00:00Z")).toThrow(message);
});

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

test("of missed ticks none is made up for, or one for all", async () => {
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
  "a schedule whose stored %s cannot be used any more is paused, and the others tick on",
  async (_name, column, value) => {
    await save({ name: "bad" });
    await save({ name: "good", jobType: "good" });
    await queue.db.sql`update schedules set ${queue.db.sql({ [column]: value })} where name = 'bad'`;
    await setNext("- interval '1 second'");
    const { made, faults } = await queue.db.transaction(fireSchedules);
    expect(made).toBe(1);
    expect(faults).toMatchObject([{ name: "bad", message: expect.stringMatching(/timeZone|cron|jobType/) as string }]);
    expect((await queue.take(5)).map((job) => job.jobType)).toEqual(["good"]);
    expect(await listSchedules(queue.db.sql, queue.ownerId)).toMatchObject([
      { name: "bad", paused: true },
      { name: "good", paused: false },
    ]);
  },
);

test.each([
  ["name", { name: "" }],
  ["jobType", { jobType: "x".repeat(201) }],
  ["queue", { queue: "a\u0000" }],
  ["priority", { priority: 2 ** 31 }],
  ["payload", { payload: "\uD83D" }],
])("a schedule with a bad %s is refused by name, so that no tick fails of it", async (field, wrong) => {
  await expect(save(wrong)).rejects.toThrow(new RegExp(field));
  expect(await listSchedules(queue.db.sql, queue.ownerId)).toEqual([]);
});

const offer = async (workerId: string, offers: { jobType: string; error?: string }[]) =>
  reportWorker(queue.db.sql, {
    workerId,
    host: "test",
    pid: 1,
    version: "0.0.0",
    concurrency: 1,
    running: 0,
    heartbeatMs: 10_000,
    state: "active",
    offers: offers.map(({ jobType, error = null }) => ({ jobType, error, description: null })),
  });

test("a schedule of a job type that no living worker runs is refused with the types that are, and not stored", async () => {
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

test("a fleet that is away is taken for what it ran last; before a first worker every job type can be scheduled", async () => {
  expect(await save({ name: "early", jobType: "anything" })).toMatchObject({ jobType: "anything" });
  await offer("one", [{ jobType: "t" }]);
  await queue.db.sql`update workers set state = 'stopped', heartbeat_at = clock_timestamp() - interval '1 day'`;
  expect(await save()).toMatchObject({ jobType: "t" });
  await expect(save({ jobType: "tt" })).rejects.toThrow(/use t,/);
});

test("a paused schedule does not tick, and goes on with its next tick after now; by hand it runs all the same", async () => {
  const { scheduleId } = await save();
  const key = { ownerId: queue.ownerId, scheduleId };
  await queue.db.transaction(async (tx) => pauseSchedule(tx, key, true));
  await setNext("- interval '2 hours'");
  expect(await fire()).toBe(0);
  expect((await survey(queue.db.sql)).tickMs).toBeNull();
  const { nextRunAt } = await queue.db.transaction(async (tx) => pauseSchedule(tx, key, false));
  expect(Date.parse(nextRunAt ?? "")).toBeGreaterThan(Date.now() - 1_000);
  await queue.db.transaction(async (tx) => runScheduleNow(tx, key));
  expect(await queue.take(5)).toHaveLength(1);
  await expect(queue.db.transaction(async (tx) => runScheduleNow(tx, { ...key, ownerId: "other" }))).rejects.toThrow(
    NotFoundError,
  );
});

test("saving a name again changes the schedule and keeps its id", async () => {
  const { scheduleId } = await save();
  expect(await save({ cron: "5 4 * * *", timeZone: "Europe/Berlin" })).toMatchObject({ scheduleId, cron: "5 4 * * *" });
  expect(await listSchedules(queue.db.sql, queue.ownerId)).toHaveLength(1);
  await expect(save({ cron: "0 0 30 2 *" })).rejects.toThrow(/never ticks/);
});
