import { expect, test } from "vitest";
import type { Message, Thread } from "../../../outputs.ts";
import type { Outgoing } from "../compose/outbox.ts";
import { toLines } from "./turns.ts";

const message = (id: string, role: Message["role"], jobId: string | null, parentId: string | null): Message => ({
  id,
  parentId,
  role,
  jobId,
  content: id,
  usage: null,
  createdAt: "2030-01-01T00:00:00Z",
});
const thread = (messages: Message[]): Thread => ({
  threadId: "t",
  decisionSetId: "d",
  title: "",
  graph: null,
  createdAt: "",
  updatedAt: "",
  currentVersion: 0,
  olderCursor: null,
  jobs: [],
  messages,
});
const outgoing = (jobId: string | null): Outgoing => ({
  idempotencyKey: "k",
  threadId: "t",
  content: "hi",
  startsThread: false,
  parentId: null,
  strategy: null,
  graph: null,
  state: "sent",
  error: null,
  jobId,
});
const shapes = (lines: ReturnType<typeof toLines>) =>
  lines.map((line) => (line.kind === "message" ? line.content : line.kind));

test("each user message is followed by its reply, or by its job until then", () => {
  const lines = toLines(
    thread([
      message("q1", "user", "1", null),
      message("q2", "user", "2", "a1"),
      message("a1", "assistant", "1", "q1"),
      message("q3", "user", "3", "q2"),
    ]),
    [],
  );
  expect(shapes(lines)).toEqual(["q1", "a1", "q2", "job", "q3", "job"]);
});

test("an outgoing message comes last until the thread has it", () => {
  const asked = thread([message("q1", "user", "1", null)]);
  expect(shapes(toLines(asked, [outgoing(null)]))).toEqual(["q1", "job", "outgoing"]);
  expect(shapes(toLines(asked, [outgoing("1")]))).toEqual(["q1", "job"]);
  expect(shapes(toLines(undefined, [outgoing("1")]))).toEqual(["outgoing"]);
});

test("an outgoing message takes the place of the message it replaces, and follows its parent reply", () => {
  const asked = thread([
    message("q1", "user", "1", null),
    message("a1", "assistant", "1", "q1"),
    message("q2", "user", "2", "a1"),
  ]);
  expect(shapes(toLines(asked, [{ ...outgoing(null), parentId: "q2" }]))).toEqual(["q1", "a1", "outgoing"]);
  expect(shapes(toLines(asked, [{ ...outgoing(null), parentId: "q1" }]))).toEqual(["outgoing"]);
});

test("messages that seeded the thread are shown unchanged", () => {
  const seeded = thread([message("s", "system", null, null), message("a", "assistant", null, "s")]);
  expect(shapes(toLines(seeded, []))).toEqual(["s", "a"]);
});
