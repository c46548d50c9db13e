import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadEnv } from "#env";

const read = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");
const LINE = /^# ([A-Z][A-Z_]+)=(.*)$/gm;

test(".env.example lists exactly the settings of src/env.ts, each with its default", () => {
  const listed: Record<string, string> = {};
  for (const [, name = "", value = ""] of read("../../.env.example").matchAll(LINE)) listed[name] = value;
  const known = [...read("../env.ts").matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name);
  expect(known.length).toBeGreaterThan(10);
  expect(new Set(Object.keys(listed))).toEqual(new Set(known));
  expect(loadEnv(listed)).toEqual(loadEnv({}));
  for (const [name, value] of Object.entries(loadEnv({})))
    expect([name, listed[name]]).toEqual([name, `${value as string | number}`]);
});

test("every setting in .env.example has a comment above it and is commented out", () => {
  const lines = read("../../.env.example").split("\n");
  expect(lines.filter((line) => line !== "" && !line.startsWith("# "))).toEqual([]);
  const unexplained = lines.filter((line, index) => /^# [A-Z_]+=/.test(line) && !lines[index - 1]?.startsWith("# "));
  expect(unexplained).toEqual([]);
});
