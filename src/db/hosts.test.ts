import { expect, test } from "vitest";
import { readHosts } from "./hosts.ts";

test.each([
  ["postgres://u:p@one/db", "postgres://u:p@one/db", [["one", 5432]], false],
  [
    "postgres://u:p%40,@one:1,two:2/db",
    "postgres://u:p%40,@one:1/db",
    [
      ["one", 1],
      ["two", 2],
    ],
    true,
  ],
  [
    "postgres://one,[::1]:2/db?sslmode=require",
    "postgres://one/db?sslmode=require",
    [
      ["one", 5432],
      ["::1", 2],
    ],
    true,
  ],
  [
    "postgres://one,two/db?target_session_attrs=any",
    "postgres://one/db",
    [
      ["one", 5432],
      ["two", 5432],
    ],
    false,
  ],
  ["postgres://one/db?target_session_attrs=read-write", "postgres://one/db", [["one", 5432]], true],
  ["postgres:///db", "postgres:///db", [["", 5432]], false],
] as const)("%s is read", (given, url, hosts, mustWrite) => {
  expect(readHosts(given)).toEqual({ url, hosts: hosts.map(([host, port]) => ({ host, port })), mustWrite });
});
