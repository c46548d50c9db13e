import { expect, test } from "vitest";
import { describeError } from "./describe-error.ts";

test.each([
  ["postgres://app:hunter2@db:5432/x refused", "postgres://***@db:5432/x refused"],
  ["header Authorization: Bearer abcdefgh12345678", "header Authorization: Bearer ***"],
  ["Basic dXNlcjpwYXNz is wrong", "Basic *** is wrong"],
  ["Incorrect API key provided: sk-proj-abc_DEF-123456", "Incorrect API key provided: sk-***"],
  ['{"api_key":"abc123","model":"m"}', '{"api_key":"***","model":"m"}'],
  ["x-api-key: abc123", "x-api-key: ***"],
  ["password=hunter2&user=a", "password=***&user=a"],
  ["connection token: abcdef", "connection token: ***"],
])("%s is redacted", (text, shown) => {
  expect(describeError(new Error(text)).message).toBe(shown);
  expect(describeError(text).message).toBe(shown);
});

test("the stack is redacted as the message is", () => {
  const { stack } = describeError(new Error("postgres://app:hunter2@db/x"));
  expect(stack).toContain("postgres://***@db/x");
  expect(stack).not.toContain("hunter2");
});

test("ordinary text stays as it is", () => {
  const text = "The basic idea: the token budget of 4,096 tokens was exceeded at https://example.com/a@b";
  expect(describeError(new Error(text)).message).toBe(text);
});

test("what was thrown keeps its name; what is no error is shown as text", () => {
  expect(describeError(new TypeError("x is no function"))).toMatchObject({
    name: "TypeError",
    message: "x is no function",
  });
  expect(describeError(undefined)).toEqual({ name: "Error", message: "undefined", stack: null });
  expect(describeError(Object.assign(new RangeError("x"), { message: "" }))).toMatchObject({ message: "RangeError" });
});

test.each([
  ["an object", { status: 500 }],
  ["an object without prototype", Object.create(null) as unknown],
  ["a symbol", Symbol("x")],
  ["an object whose text throws", { toString: () => JSON.parse("") as string }],
])("%s that was thrown is described without throwing again", (_name, thrown) => {
  expect(describeError(thrown).message.length).toBeGreaterThan(0);
});

test("an error whose message is no text is described", () => {
  const odd = new Error("x");
  Object.defineProperty(odd, "message", { value: { code: 7 } });
  expect(typeof describeError(odd).message).toBe("string");
});

test("length is bounded and NUL characters, which PostgreSQL refuses, are left out", () => {
  const { message, stack } = describeError(new Error(`a\u0000b${"x".repeat(50_000)}`));
  expect(message).toMatch(/^abx/);
  expect(message.length).toBeLessThanOrEqual(2_000);
  expect(stack?.length).toBeLessThanOrEqual(8_000);
});

test("a secret at the cut is not shown in part", () => {
  const { message } = describeError(new Error(`${"x".repeat(1_990)} sk-abcdefghijklmnop`));
  expect(message).not.toContain("sk-a");
});

test("no half of a surrogate pair is left at the cut, for JSON refuses it", () => {
  const { message } = describeError(new Error("😀".repeat(1_500)));
  expect(Buffer.from(message).toString()).toBe(message);
});
