import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { LAYERS } from "./lint/layers.mjs";

const DOCUMENT = fileURLToPath(new URL("../ARCHITECTURE.md", import.meta.url));
const BLOCK = /(?<=<!-- layers:begin.*-->\n)[\s\S]*?(?=<!-- layers:end -->)/;

/** The layers as a Markdown table, aligned as the formatter aligns it. */
function layerTable(): string {
  const rows = Object.entries(LAYERS).map(([layer, { owns, faces }]) => [
    layer === "env" ? "`src/env.ts`" : `\`src/${layer}/\``,
    owns,
    faces.map((face) => face.slice(1)).join(", ") + (layer === "client" ? ", the router's type" : "") || "–",
  ]);
  const heading = ["folder", "owns", "may import"];
  const widths = heading.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(heading), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

test("ARCHITECTURE.md lists the layers of the lint rule; to update it: npx vitest run --project unit test/architecture.test.ts -u", async () => {
  const text = readFileSync(DOCUMENT, "utf8");
  expect(text).toMatch(BLOCK);
  await expect(text.replace(BLOCK, `\n${layerTable()}\n\n`)).toMatchFileSnapshot(DOCUMENT);
});

test("every source file that a document names exists", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const documents = ["", "docs", "docs/decisions"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name)),
  );
  const named = documents.flatMap((document) => {
    const text = readFileSync(join(root, document), "utf8");
    const paths = [...text.matchAll(/`((?:[\w-]+\/)+[\w.-]+\.(?:ts|tsx|mjs))`/g)].map(([, path = ""]) => path);
    return paths.map((path) => ({ document, path }));
  });
  const missing = named.filter(
    ({ path }) => !path.startsWith("dist/") && !existsSync(join(root, path)) && !existsSync(join(root, "src", path)),
  );
  expect(named.length).toBeGreaterThan(50);
  expect(missing).toEqual([]);
});
