import { readFileSync } from "node:fs";
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
