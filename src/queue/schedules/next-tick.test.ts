import { InvalidScheduleError } from "../errors.ts";
import { nextTick } from "./next-tick.ts";
import { expect, test } from "vitest";

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
  "in %s an evenly ticking cron line keeps its interval over every change of the clocks",
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
