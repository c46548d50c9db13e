import { expect, test } from "vitest";
import { describeOldServer, toSetupError } from "./check-server.ts";

test("a server older than 15 is refused with the remedy; 15 and newer are accepted", () => {
  expect(describeOldServer(140_012, "14.12")).toBe(
    "the server is PostgreSQL 14.12, but Threadmill needs 15 or newer: upgrade it, or unset DATABASE_URL to use the embedded one",
  );
  expect(describeOldServer(150_000, "15.0")).toBeUndefined();
  expect(describeOldServer(180_004, "18.4")).toBeUndefined();
});

test.each([
  ["28P01", "the server refuses the password"],
  ["3D000", "the server has no such database"],
  ["42501", "too few rights"],
  ["ENOTFOUND", "its host is unknown"],
  ["ECONNREFUSED", "nothing answers there"],
])("error %s becomes a line that names the setting and the remedy", (code, remedy) => {
  const fault = Object.assign(new Error("secret text of the driver"), { code });
  const { message } = toSetupError(fault, "DATABASE_LISTEN_URL");
  expect(message).toContain(`DATABASE_LISTEN_URL: cannot use the database (${code}): `);
  expect(message).toContain(remedy);
  expect(message).not.toContain("secret");
});
