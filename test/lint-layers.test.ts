import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { z } from "zod";

const root = fileURLToPath(new URL("..", import.meta.url));
const fixture = join(root, "test/lint-fixture/src");
const HEADER = "// violates: ";

const reportSchema = z.object({
  diagnostics: z.array(z.object({ filename: z.string(), code: z.string() })),
});

/** Lints the fixture with the project's configuration; returns the findings of our rules as `file rule`, each once. */
async function lintFixture(): Promise<string[]> {
  const config = join(root, "test/lint-fixture/oxlint.json");
  const output = await new Promise<string>((resolve) => {
    execFile(
      join(root, "node_modules/.bin/oxlint"),
      ["--type-aware", "-c", config, "-f", "json", fixture],
      { cwd: root, maxBuffer: 16 * 1_048_576 },
      (_error, stdout) => resolve(stdout),
    );
  });
  const { diagnostics } = reportSchema.parse(JSON.parse(output));
  const found = diagnostics.map(({ filename, code }) => ({
    path: relative(fixture, join(root, filename)),
    rule: code.replace(/^(.*)\((.*)\)$/, "$1/$2"),
  }));
  const ours = found.filter(({ rule }) => rule.startsWith("layers/") || rule === "node/no-process-env");
  return [...new Set(ours.map(({ path, rule }) => `${path} ${rule}`))].toSorted();
}

/** The violations that each file's first line announces, as `file rule`. */
function readExpected(): string[] {
  return readdirSync(fixture, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      const [header = ""] = readFileSync(path, "utf8").split("\n", 1);
      if (!header.startsWith(HEADER)) throw new Error(`${path} must begin with "${HEADER}"`);
      const rules = header.slice(HEADER.length).split(", ");
      return rules.filter((rule) => rule !== "nothing").map((rule) => `${relative(fixture, path)} ${rule}`);
    })
    .toSorted();
}

test("lint finds every deliberate violation, and nothing else", async () => {
  const expected = readExpected();
  expect(expected.length).toBeGreaterThan(40);
  expect(await lintFixture()).toEqual(expected);
}, 120_000);

test("the queue's statements name no table of conversations", () => {
  const folder = join(root, "src/queue");
  const isOfConversation = /\b(?:from|join|into|update)\s+(?:messages|decision_sets|decision_versions)\b/;
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .filter((path) => isOfConversation.test(readFileSync(join(folder, path), "utf8")));
  expect(found).toEqual([]);
});
