import { InvalidAnswerError } from "#queue";
import { checkAnswers } from "./check-answers.ts";
import { expect, test, vi } from "vitest";

// A thread that starts on a busy machine takes seconds.
vi.setConfig({ testTimeout: 30_000 });

const check = async (schema: unknown, value: unknown) => checkAnswers([{ interruptId: "q", schema, value }]);

test.each<[string, unknown, unknown]>([
  ["fits its schema", { type: "string" }, "x"],
  ["has no schema", null, { any: "value" }],
  ["has a schema that cannot be compiled", { type: "nonsense" }, 5],
])("an answer that %s is taken", async (_name, schema, value) => {
  await expect(check(schema, value)).resolves.toBeUndefined();
});

test("an answer that does not fit is refused with the field and the interrupt", async () => {
  const schema = { type: "object", properties: { size: { type: "number" } } };
  await expect(check(schema, { size: "big" })).rejects.toThrow(InvalidAnswerError);
  await expect(check(schema, { size: "big" })).rejects.toThrow("answers.size must be number (interrupt q)");
});

test("a schema whose pattern takes too long on an answer is refused", async () => {
  const answer = `${"a".repeat(40)}!`;
  await expect(check({ type: "string", pattern: "^(a+)+$" }, answer)).rejects.toThrow(
    /could not be checked within 250 ms/,
  );
});
