import { readFileSync } from "node:fs";

/**
 * Reads the Node flags of `npm run server` or `npm run worker` from `package.json`, so that `npm start` uses them too.
 * They bound the heap (`docs/performance-log.md`).
 */
export function nodeFlags(name: "server" | "worker"): string[] {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { scripts } = JSON.parse(text) as { scripts: Record<typeof name, string> };
  return scripts[name].split(" ").filter((word) => word.startsWith("--"));
}
