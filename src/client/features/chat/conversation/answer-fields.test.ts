import { expect, test } from "vitest";
import { readFields, readQuestion, toAnswer } from "./answer-fields.ts";

test("a simple schema becomes one field, and its answer is the value itself", () => {
  const answer = (schema: unknown, text: string) => toAnswer(readFields(schema), { "": text });
  expect(answer(null, "hi")).toBe("hi");
  expect(answer({ type: "integer" }, "3")).toBe(3);
  expect(answer({ type: "boolean" }, "true")).toBe(true);
  expect(answer({ type: "boolean" }, "false")).toBe(false);
  expect(answer({ enum: ["red", "blue"] }, "red")).toBe("red");
  expect(answer({ type: "array" }, "[1]")).toEqual([1]);
  expect(() => answer({ type: "array" }, "[")).toThrow(SyntaxError);
});

test("an object becomes one field per property, and empty optional fields are left out", () => {
  const fields = readFields({
    type: "object",
    properties: { approved: { type: "boolean", description: "Place the order?" }, note: { type: "string" } },
    required: ["approved"],
  });
  expect(fields.map(({ name, label, kind, required }) => [name, label, kind, required])).toEqual([
    ["approved", "Place the order?", "boolean", true],
    ["note", "note", "text", false],
  ]);
  expect(toAnswer(fields, { approved: "true", note: "" })).toEqual({ approved: true });
  expect(toAnswer(fields, { approved: "false", note: "no" })).toEqual({ approved: false, note: "no" });
  expect(readFields({ type: "object" })).toMatchObject([{ name: "", kind: "json" }]);
});

test("the text of a question is found under the usual keys", () => {
  expect(readQuestion("Which?")).toBe("Which?");
  expect(readQuestion({ kind: "x", message: "Order?" })).toBe("Order?");
  expect(readQuestion({ action: "pay" })).toContain('"action": "pay"');
  expect(readQuestion(3)).toBe("3");
});
