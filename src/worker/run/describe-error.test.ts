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

const letters = (length: number) => "Ab1".repeat(length).slice(0, length);
const upper = (length: number) => "AB1".repeat(length).slice(0, length);

test.each([
  [`key AKIA${upper(16)} is off`, "key AKIA*** is off"],
  [`ASIA${upper(16)}`, "ASIA***"],
  [`https://maps/api?key=AIza${letters(35)}&v=3`, "https://maps/api?key=AIza***&v=3"],
  [`ghp_${letters(36)} was revoked`, "ghp_*** was revoked"],
  [`gho_${letters(36)}`, "gho_***"],
  [`github_pat_${letters(22)}_${letters(59)}`, "github_pat_***"],
  [`npm_${letters(36)}`, "npm_***"],
  [`hf_${letters(34)}`, "hf_***"],
  [`lsv2_pt_${letters(32)}_${letters(10)}`, "lsv2_pt_***"],
  [`xoxb-1234567890-${letters(24)}`, "xoxb-***"],
  [`xoxp-1234567890-${letters(24)}`, "xoxp-***"],
  [`cookie eyJ${letters(20)}.eyJ${letters(30)}.${letters(43)}!`, "cookie eyJ***!"],
  [`sk-proj-${letters(20)}_${letters(20)}`, "sk-***"],
  [`sk-ant-api03-${letters(40)}-AA`, "sk-***"],
  [`(sk_live_${letters(24)})`, "(sk_live_***)"],
  ["https://0123abcd@host/repository", "https://***@host/repository"],
  ["postgres://u:p@ss@host/db", "postgres://***@host/db"],
  ["postgres://u:p@s:s@host:5432/db?a=b", "postgres://***@host:5432/db?a=b"],
  ["postgres://u:p/a@ss@host/db", "postgres://***@host/db"],
  ["redis://:p@ss@[::1]:6379/0", "redis://***@[::1]:6379/0"],
  [
    `-----BEGIN RSA PRIVATE KEY-----\n${letters(64)}\n${letters(20)}\n-----END RSA PRIVATE KEY-----\nthen`,
    "-----BEGIN RSA PRIVATE KEY ***\nthen",
  ],
  [`-----BEGIN PRIVATE KEY-----\\n${letters(64)}`, "-----BEGIN PRIVATE KEY ***"],
  [`OPENAI_API_KEY=${letters(30)} is set`, "OPENAI_API_KEY=*** is set"],
  [`AWS_SECRET_ACCESS_KEY=${letters(40)}`, "AWS_SECRET_ACCESS_KEY=***"],
  ['{"accessToken":"correct horse, battery"}', '{"accessToken":"***"}'],
  [String.raw`body: {\"password\":\"correct horse\"}`, String.raw`body: {\"password\":\"***\"}`],
])("the common secret in %s is redacted", (text, shown) => {
  expect(describeError(new Error(text)).message).toBe(shown);
});

test.each([
  "connect to http://localhost:4873/@scope/pkg failed",
  "http://[::1]:3000/a@b answered 500",
  "a risk-adjusted task-oriented plan for disk-intensive work",
  "max_tokens: 4096 and the passwords page",
])("%s holds no secret and stays as it is", (text) => {
  expect(describeError(new Error(text)).message).toBe(text);
});

test.each(["a-", "postgres://", "a://b:", "password=", "-----BEGIN ", "eyJaaaaaaaa.", "eyJ-"])(
  "a megabyte of %s is described without stalling the worker",
  (part) => {
    const text = part.repeat(1_000_000 / part.length);
    expect(describeError(text).message.length).toBeLessThanOrEqual(2_000);
  },
);

test("the stack is redacted like the message", () => {
  const { stack } = describeError(new Error("postgres://app:hunter2@db/x"));
  expect(stack).toContain("postgres://***@db/x");
  expect(stack).not.toContain("hunter2");
});

test("ordinary text is unchanged", () => {
  const text = "The basic idea: the token budget of 4,096 tokens was exceeded at https://example.com/a@b";
  expect(describeError(new Error(text)).message).toBe(text);
});

test("a thrown error keeps its name; another thrown value is shown as text", () => {
  expect(describeError(new TypeError("x is no function"))).toMatchObject({
    name: "TypeError",
    message: "x is no function",
  });
  expect(describeError(undefined)).toEqual({ name: "Error", message: "undefined", stack: null });
  expect(describeError(Object.assign(new RangeError("x"), { message: "" }))).toMatchObject({ message: "RangeError" });
});

test("an error without its own name gets the name of its class", () => {
  class CardDeclined extends Error {}
  expect(describeError(new CardDeclined("no"))).toMatchObject({ name: "CardDeclined" });
  expect(describeError(new DOMException("stopped", "AbortError"))).toMatchObject({ name: "AbortError" });
});

test.each([
  ["an object", { status: 500 }],
  ["an object without prototype", Object.create(null) as unknown],
  ["a symbol", Symbol("x")],
  ["an object whose text throws", { toString: () => JSON.parse("") as string }],
])("%s that was thrown is described without throwing again", (_name, thrown) => {
  expect(describeError(thrown).message.length).toBeGreaterThan(0);
});

test("an error whose message is no string is described", () => {
  const odd = new Error("x");
  Object.defineProperty(odd, "message", { value: { code: 7 } });
  expect(typeof describeError(odd).message).toBe("string");
});

test("the length is bounded, and NUL characters, which PostgreSQL refuses, are removed", () => {
  const { message, stack } = describeError(new Error(`a\u0000b${"x".repeat(50_000)}`));
  expect(message).toMatch(/^abx/);
  expect(message.length).toBeLessThanOrEqual(2_000);
  expect(stack?.length).toBeLessThanOrEqual(8_000);
});

test("a secret at the cut is not shown in part", () => {
  const { message } = describeError(new Error(`${"x".repeat(1_990)} sk-abcdefghijklmnop`));
  expect(message).not.toContain("sk-a");
});

test("no half of a surrogate pair is left at the cut, because PostgreSQL refuses it in JSON", () => {
  const { message } = describeError(new Error("😀".repeat(1_500)));
  expect(Buffer.from(message).toString()).toBe(message);
});
