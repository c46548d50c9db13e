import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { deferred } from "../../../test/deferred.ts";
import type { Deferred } from "../../../test/deferred.ts";
import { gather } from "./gather.ts";

interface Sent {
  keys: readonly string[];
  answer: Deferred<(string | Error)[]>;
}

const open = () => {
  const sent: Sent[] = [];
  const loader = gather<string, string>({
    keyOf: (key) => key,
    read: async (keys) => {
      const answer = deferred<(string | Error)[]>();
      sent.push({ keys, answer });
      return answer.promise;
    },
  });
  return { sent, load: async (key: string) => loader.load(key) };
};

test("what is asked for in one turn is one read, and each key is in it once", async () => {
  const { sent, load } = open();
  const asked = Promise.all([load("a"), load("b"), load("a")]);
  await nextTurn();
  expect(sent.map(({ keys }) => keys)).toEqual([["a", "b"]]);
  sent[0]?.answer.resolve(["1", "2"]);
  expect(await asked).toEqual(["1", "2", "1"]);
});

test("nobody is given a read that was sent before they asked", async () => {
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

test("a read that takes long holds up the next for a moment only", async () => {
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

test("an error is that of its key, or of its whole read, and never of the next", async () => {
  const { sent, load } = open();
  const asked = Promise.allSettled([load("a"), load("b")]);
  await nextTurn();
  sent[0]?.answer.resolve([new Error("no such"), "2"]);
  expect(await asked).toMatchObject([{ reason: { message: "no such" } }, { value: "2" }]);
  const failing = gather<string, string>({
    keyOf: (key) => key,
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
