import { readFileSync } from "node:fs";

/**
 * The flags that `npm run server` and `npm run worker` give to Node.js, read from `package.json`, where they must stand.
 * They bound the heap: `docs/performance.md` has the measurements.
 */
export function nodeFlags(name: "server" | "worker"): string[] {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { scripts } = JSON.parse(text) as { scripts: Record<typeof name, string> };
  return scripts[name].split(" ").filter((word) => word.startsWith("--"));
}
