import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  scripts: Record<string, string>;
};
const commands = Object.entries(scripts).flatMap(([name, script]) =>
  script.split("&&").map((command): [string, string] => [name, command.trim()]),
);

test.each(commands)("the npm script %s runs in cmd.exe as well as in sh: %s", (_name, command) => {
  expect(command).not.toMatch(/^exec\b/);
  expect(command).not.toMatch(/^[A-Za-z_]\w*=/);
  // Quotes, variables, pipes and lists other than && differ between the two.
  expect(command).not.toMatch(/['$|;`]/);
});
