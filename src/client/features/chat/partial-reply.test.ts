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
  expect(read(events)).toEqual({ seq: 4, attempt: 1, text: "Hello", step: "plan" });
});

test("what a dead attempt wrote is dropped, and what it still says is not heard", () => {
  expect(
    read([
      [1, "token", { text: "Hel" }],
      [2, "started"],
    ]),
  ).toEqual({ seq: 2, attempt: 2, text: "", step: null });
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

test("events of other kinds and odd shapes change nothing", () => {
  const partial = { seq: 1, attempt: 1, text: "a", step: "s" };
  expect(readPartial(partial, { seq: 2, attempt: 1, type: "task", data: 1 })).toEqual({ ...partial, seq: 2 });
  expect(readPartial(partial, { seq: 2, attempt: 1, type: "token", data: null })).toEqual({ ...partial, seq: 2 });
});

test("an event that was read before is not read again", () => {
  const partial = { seq: 7, attempt: 1, text: "a", step: null };
  expect(readPartial(partial, { seq: 7, attempt: 1, type: "token", data: { text: "a" } })).toBe(partial);
});
