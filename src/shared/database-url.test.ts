import { expect, test } from "vitest";
import { readHosts } from "./database-url.ts";

const host = (name: string, port: number, url: string) => ({ host: name, port, url });

test.each([
  ["postgres://u:p@one/db", false, [host("one", 5432, "postgres://u:p@one/db")]],
  [
    "postgres://u:p%40,@one:1,two:2/db",
    true,
    [host("one", 1, "postgres://u:p%40,@one:1/db"), host("two", 2, "postgres://u:p%40,@two:2/db")],
  ],
  [
    "postgres://one,[::1]:2/db?sslmode=require",
    true,
    [host("one", 5432, "postgres://one/db?sslmode=require"), host("::1", 2, "postgres://[::1]:2/db?sslmode=require")],
  ],
  [
    "postgres://one,two/db?target_session_attrs=any",
    false,
    [host("one", 5432, "postgres://one/db"), host("two", 5432, "postgres://two/db")],
  ],
  ["postgres://one/db?target_session_attrs=read-write", true, [host("one", 5432, "postgres://one/db")]],
  ["postgres:///db", false, [host("", 5432, "postgres:///db")]],
])("the hosts of %s are read", (given, mustWrite, hosts) => {
  expect(readHosts(given)).toEqual({ mustWrite, hosts });
});
