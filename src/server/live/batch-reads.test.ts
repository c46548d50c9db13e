import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { deferred } from "../../../test/deferred.ts";
import type { Deferred } from "../../../test/deferred.ts";
import { batchReads } from "./batch-reads.ts";

interface Sent {
  keys: readonly string[];
  answer: Deferred<(string | Error)[]>;
}

const open = () => {
  const sent: Sent[] = [];
  const loader = batchReads<string, string>({
    idOf: (key) => key,
    read: async (keys) => {
      const answer = deferred<(string | Error)[]>();
      sent.push({ keys, answer });
      return answer.promise;
    },
  });
  return { sent, load: async (key: string) => loader.load(key) };
};

test("the calls of one turn share a read that contains each key once", async () => {
  const { sent, load } = open();
  const asked = Promise.all([load("a"), load("b"), load("a")]);
  await nextTurn();
  expect(sent.map(({ keys }) => keys)).toEqual([["a", "b"]]);
  sent[0]?.answer.resolve(["1", "2"]);
  expect(await asked).toEqual(["1", "2", "1"]);
});

test("a caller never receives a read that was sent before its call", async () => {
  const { sent, load } = open();
  const before = load("a");
  await nextTurn();
  expect(sent).toHaveLength(1);
  const after = [load("a"), load("b"), load("a")];
  sent[0]?.answer.resolve(["before the write"]);
  expect(await before).toBe("before the write");
  await nextTurn();
  expect(sent.map(({ keys }) => keys)).toEqual([["a"], ["a", "b"]]);
  sent[1]?.answer.resolve(["after the write", "b"]);
  expect(await Promise.all(after)).toEqual(["after the write", "b", "after the write"]);
});

test("a slow read delays the next one only for a moment", async () => {
  const { sent, load } = open();
  const slow = load("a");
  await nextTurn();
  const next = load("b");
  await expect.poll(() => sent.length).toBe(2);
  sent[1]?.answer.resolve(["2"]);
  expect(await next).toBe("2");
  sent[0]?.answer.resolve(["1"]);
  expect(await slow).toBe("1");
});

test("an error rejects its key or its whole read, and never the next read", async () => {
  const { sent, load } = open();
  const asked = Promise.allSettled([load("a"), load("b")]);
  await nextTurn();
  sent[0]?.answer.resolve([new Error("no such"), "2"]);
  expect(await asked).toMatchObject([{ reason: { message: "no such" } }, { value: "2" }]);
  const failing = batchReads<string, string>({
    idOf: (key) => key,
    read: async (keys) => {
      if (keys.includes("bad")) throw new Error("away");
      return [...keys];
    },
  });
  expect(await Promise.allSettled([failing.load("bad"), failing.load("a")])).toMatchObject([
    { reason: { message: "away" } },
    { reason: { message: "away" } },
  ]);
  expect(await failing.load("a")).toBe("a");
});
