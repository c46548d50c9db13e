import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchSources } from "./watch-sources.ts";
import type { Watcher } from "./watch-sources.ts";

// A loaded machine may report a change seconds late.
vi.setConfig({ testTimeout: 60_000 });

let root: string;
let watcher: Watcher;
let changes: number;
let seen: readonly string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "threadmill-watch-"));
});
afterEach(async () => {
  await watcher.close();
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** Saves a file as many editors do: writes a new file and renames it over the old one. */
function replace(path: string, text: string): void {
  write(`${path}.new`, text);
  renameSync(join(root, `${path}.new`), join(root, path));
}

async function open(): Promise<void> {
  changes = 0;
  const watched = { sources: join(root, "src"), graphsFile: join(root, "langgraph.json"), dataDir: join(root, "data") };
  watcher = watchSources(watched, (paths) => {
    changes += 1;
    seen = paths;
  });
  await watcher.ready;
}

async function seesAfter(change: () => void): Promise<void> {
  const before = changes;
  change();
  await expect.poll(() => changes, { timeout: 20_000 }).toBeGreaterThan(before);
}

test("replacing a source by renaming is seen each time, and so is writing, creating or removing one", async () => {
  write("src/server/app.ts", "1");
  await open();
  await seesAfter(() => replace("src/server/app.ts", "2"));
  await seesAfter(() => replace("src/server/app.ts", "3"));
  await seesAfter(() => write("src/server/app.ts", "4"));
  await seesAfter(() => write("src/server/new/deep.ts", "5"));
  await seesAfter(() => rmSync(join(root, "src/server/app.ts")));
  expect(seen).toEqual([join(root, "src/server/app.ts")]);
});

test("a change of a graph or of a file beside it is seen, also when langgraph.json names the graph later", async () => {
  write("src/env.ts", "1");
  write("support/graph.ts", "1");
  write("support/prompts/text.ts", "1");
  write("langgraph.json", JSON.stringify({ graphs: { support: "./support/graph.ts:graph" } }));
  await open();
  await seesAfter(() => replace("support/graph.ts", "2"));
  await seesAfter(() => replace("support/prompts/text.ts", "2"));
  write("other/graph.ts", "1");
  const graphs = { support: "./support/graph.ts:graph", other: { path: "./other/graph.ts" } };
  await seesAfter(() => replace("langgraph.json", JSON.stringify({ graphs })));
  // The new folder is watched only after the file was read, so the first of these changes may be missed.
  const before = changes;
  const again = () => {
    replace("other/graph.ts", "2");
    return changes;
  };
  await expect.poll(again, { timeout: 20_000, interval: 500 }).toBeGreaterThan(before);
});

test("creating langgraph.json later is seen", async () => {
  write("src/env.ts", "1");
  await open();
  await seesAfter(() => write("langgraph.json", "{}"));
  expect(seen).toEqual([join(root, "langgraph.json")]);
});

test("changes of the page, the launcher, the database's files, packages, builds and texts are ignored", async () => {
  write("src/env.ts", "1");
  write("graph.ts", "1");
  write("langgraph.json", JSON.stringify({ graphs: { root: "./graph.ts" } }));
  for (const path of ["src/client/page.tsx", "src/launch/main.ts", "data/a.json", "dist/a.js", "node_modules/a/b.js"])
    write(path, "1");
  await open();
  for (const path of ["src/client/page.tsx", "src/launch/main.ts", "data/a.json", "dist/a.js", "node_modules/a/b.js"])
    replace(path, "2");
  write("notes.md", "1");
  write(".git/index.json", "1");
  // Changes within 100 ms are reported together, so an ignored path would be in this report.
  await seesAfter(() => replace("graph.ts", "2"));
  expect(new Set(seen)).toEqual(new Set([join(root, "graph.ts")]));
});
