import { hashTurn } from "./hash-turn.ts";
import type { NewTurn } from "./new-turn.ts";
import { expect, test } from "vitest";

const turn: NewTurn = { ownerId: "o", content: "hello", threadId: "018f0000-0000-7000-8000-00000000abcd" };

test("equal requests have equal hashes, whatever the capitals of their ids", () => {
  expect(hashTurn({ ...turn, threadId: turn.threadId?.toUpperCase() })).toBe(hashTurn(turn));
});

test.each<[string, Partial<NewTurn>]>([
  ["content", { content: "other" }],
  ["thread", { threadId: undefined }],
  ["graph", { graph: "g" }],
  ["parent", { parentId: "018f0000-0000-7000-8000-000000000001" }],
  ["job type", { jobType: "other" }],
  ["budget", { budget: { tokens: 5 } }],
  ["history", { history: [{ role: "user", content: "a" }] }],
])("a request with another %s has another hash", (_name, change) => {
  expect(hashTurn({ ...turn, ...change })).not.toBe(hashTurn(turn));
});

test.each<[string, Partial<NewTurn>]>([
  ["priority", { priority: 5 }],
  ["number of retries", { maxRetries: 1 }],
  ["strategy for a busy thread", { multitaskStrategy: "reject" }],
])("a request with another %s has the same hash", (_name, change) => {
  expect(hashTurn({ ...turn, ...change })).toBe(hashTurn(turn));
});
