import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nodeFlags } from "./node-flags.ts";

const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  scripts: Record<string, string>;
};
const commands = Object.entries(scripts).flatMap(([name, script]) =>
  script.split("&&").map((command): [string, string] => [name, command.trim()]),
);

test.each(commands)("the npm script %s runs in cmd.exe as well as in sh: %s", (_name, command) => {
  expect(command).not.toMatch(/^exec\b/);
  expect(command).not.toMatch(/^[A-Za-z_]\w*=/);
  // cmd.exe and sh differ in quotes, variables, pipes and every list but &&.
  expect(command).not.toMatch(/['$|;`]/);
});

test.each(["server", "worker"] as const)("npm start runs the %s with the flags of its npm script", (name) => {
  expect(nodeFlags(name).length).toBeGreaterThan(0);
  expect(scripts[name]).toContain(`node ${nodeFlags(name).join(" ")} src/`);
});
