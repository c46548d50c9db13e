import { expect, test } from "vitest";
import type { Message } from "../../../outputs.ts";
import { parentToName, readPath } from "./branches.ts";

const message = (id: string, parentId: string | null): Message => ({
  id,
  parentId,
  role: id.startsWith("r") ? "assistant" : "user",
  content: id,
  jobId: `job-${id.slice(1)}`,
  usage: null,
  createdAt: "2030-01-01T00:00:00Z",
});
const ids = (messages: readonly Message[], chosen = {}) => readPath(messages, chosen).map((step) => step.message.id);

test("a conversation without branches shows all its messages", () => {
  expect(readPath([], {})).toEqual([]);
  expect(ids([message("u1", null), message("r1", "u1"), message("u2", "r1")])).toEqual(["u1", "r1", "u2"]);
});

test("the newest branch is shown unless another version is chosen", () => {
  const messages = [
    message("u1", null),
    message("r1", "u1"),
    message("u2", "r1"),
    message("r2", "u2"),
    message("u3", "r1"),
    message("r3", "u3"),
    message("u4", null),
  ];
  expect(ids(messages)).toEqual(["u4"]);
  expect(ids(messages, { "": "u1" })).toEqual(["u1", "r1", "u3", "r3"]);
  expect(ids(messages, { "": "u1", r1: "u2" })).toEqual(["u1", "r1", "u2", "r2"]);
  expect(readPath(messages, { "": "u1" })[2]?.versions).toEqual(["u2", "u3"]);
});

test("a message on an older branch names its parent; one on the newest branch names none", () => {
  const messages = [message("u1", null), message("r1", "u1"), message("u2", null), message("r2", "u2")];
  expect(parentToName(messages, readPath(messages, {}))).toBeNull();
  expect(parentToName(messages, readPath(messages, { "": "u1" }))).toBe("r1");
  expect(parentToName([], [])).toBeNull();
});

test("a branch starts at its first loaded message", () => {
  const messages = [message("r1", "u1"), message("u2", "r1"), message("r0", "u0"), message("r2", "u2")];
  expect(ids(messages)).toEqual(["r1", "u2", "r2"]);
  expect(readPath(messages, {})[0]?.versions).toEqual(["r1"]);
});
