import { expect, test } from "vitest";
import { NOTHING_YET, readPartial } from "./partial-reply.ts";

const read = (events: [attempt: number, type: string, data?: unknown][]) =>
  events.reduce(
    (partial, [attempt, type, data], index) => readPartial(partial, { seq: index + 1, attempt, type, data }),
    NOTHING_YET,
  );

test("tokens add up to the reply's text, and progress sets its step", () => {
  const events: Parameters<typeof read>[0] = [
    [1, "started"],
    [1, "progress", { step: "plan" }],
    [1, "token", { text: "Hel" }],
    [1, "token", { text: "lo" }],
  ];
  expect(read(events)).toMatchObject({ seq: 4, attempt: 1, text: "Hello", step: "plan" });
});

test("a dead attempt's text is dropped and its later events are ignored", () => {
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

test("texts that models write at once appear one after the other", () => {
  const events: Parameters<typeof read>[0] = [
    [1, "token", { text: "Le", message: "left" }],
    [1, "token", { text: "Ri", message: "right" }],
    [1, "token", { text: "ft", message: "left" }],
    [1, "token", { text: "ght", message: "right" }],
  ];
  expect(read(events).text).toBe("Left\n\nRight");
});

test("events of other types and malformed events change nothing", () => {
  const partial = { ...NOTHING_YET, seq: 1, attempt: 1, step: "s" };
  expect(readPartial(partial, { seq: 2, attempt: 1, type: "task", data: 1 })).toEqual({ ...partial, seq: 2 });
  expect(readPartial(partial, { seq: 2, attempt: 1, type: "token", data: null }).text).toBe("");
});

test("a repeated event is ignored", () => {
  const partial = { ...NOTHING_YET, seq: 7, attempt: 1, text: "a" };
  expect(readPartial(partial, { seq: 7, attempt: 1, type: "token", data: { text: "a" } })).toBe(partial);
});
