import { expect, test } from "vitest";
import { NOTHING_YET, readPartial } from "./partial-reply.ts";

const read = (events: [attempt: number, type: string, data?: unknown][]) =>
  events.reduce(
    (partial, [attempt, type, data], index) => readPartial(partial, { seq: index + 1, attempt, type, data }),
    NOTHING_YET,
  );

test("tokens become the reply's text, in order, and progress its step", () => {
  const events: Parameters<typeof read>[0] = [
    [1, "started"],
    [1, "progress", { step: "plan" }],
    [1, "token", { text: "Hel" }],
    [1, "token", { text: "lo" }],
  ];
  expect(read(events)).toMatchObject({ seq: 4, attempt: 1, text: "Hello", step: "plan" });
});

test("what a dead attempt wrote is dropped, and what it still says is not heard", () => {
  expect(
    read([
      [1, "token", { text: "Hel" }],
      [2, "started"],
    ]),
  ).toEqual({ ...NOTHING_YET, seq: 2, attempt: 2 });
  expect(
    read([
      [1, "token", { text: "Hel" }],
      [1, "retrying"],
    ]).text,
  ).toBe("");
  expect(
    read([
      [2, "token", { text: "new" }],
      [1, "token", { text: "old" }],
    ]).text,
  ).toBe("new");
});

test("what several models write at once is shown one after the other, not mixed", () => {
  const events: Parameters<typeof read>[0] = [
    [1, "token", { text: "Le", message: "left" }],
    [1, "token", { text: "Ri", message: "right" }],
    [1, "token", { text: "ft", message: "left" }],
    [1, "token", { text: "ght", message: "right" }],
  ];
  expect(read(events).text).toBe("Left\n\nRight");
});

test("events of other kinds and odd shapes change nothing", () => {
  const partial = { ...NOTHING_YET, seq: 1, attempt: 1, step: "s" };
  expect(readPartial(partial, { seq: 2, attempt: 1, type: "task", data: 1 })).toEqual({ ...partial, seq: 2 });
  expect(readPartial(partial, { seq: 2, attempt: 1, type: "token", data: null }).text).toBe("");
});

test("an event that was read before is not read again", () => {
  const partial = { ...NOTHING_YET, seq: 7, attempt: 1, text: "a" };
  expect(readPartial(partial, { seq: 7, attempt: 1, type: "token", data: { text: "a" } })).toBe(partial);
});
