import { expect, test } from "vitest";
import type { Message, Thread } from "../../outputs.ts";
import type { Outgoing } from "./outbox.ts";
import { toLines } from "./turns.ts";

const message = (id: string, role: Message["role"], jobId: string | null): Message => ({
  id,
  parentId: null,
  role,
  jobId,
  content: id,
  createdAt: "2030-01-01T00:00:00Z",
});
const thread = (messages: Message[]): Thread => ({
  threadId: "t",
  decisionSetId: "d",
  title: "",
  createdAt: "",
  updatedAt: "",
  currentVersion: 0,
  jobs: [],
  messages,
});
const outgoing = (jobId: string | null): Outgoing => ({
  idempotencyKey: "k",
  threadId: "t",
  content: "hi",
  state: "sent",
  error: null,
  jobId,
});
const shapes = (lines: ReturnType<typeof toLines>) =>
  lines.map((line) => (line.kind === "message" ? line.content : line.kind));

test("a reply stands behind its own question, also when a later question was asked before it came", () => {
  const lines = toLines(
    thread([message("q1", "user", "1"), message("q2", "user", "2"), message("a1", "assistant", "1")]),
    [],
  );
  expect(shapes(lines)).toEqual(["q1", "a1", "q2", "job"]);
});

test("a message on its way comes last, and only until the thread has it", () => {
  expect(shapes(toLines(thread([message("q1", "user", "1")]), [outgoing(null)]))).toEqual(["q1", "job", "outgoing"]);
  expect(shapes(toLines(thread([message("q1", "user", "1")]), [outgoing("1")]))).toEqual(["q1", "job"]);
  expect(shapes(toLines(undefined, [outgoing("1")]))).toEqual(["outgoing"]);
});

test("messages that seeded the thread are shown as they are", () => {
  expect(shapes(toLines(thread([message("s", "system", null), message("a", "assistant", null)]), []))).toEqual([
    "s",
    "a",
  ]);
});
