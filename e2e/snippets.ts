import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../", import.meta.url));
const BLOCK = /^```(\w*)\n([\s\S]*?)^```$/gm;
const COMMAND = /^(?:[A-Z_]+=\S+ )*npm (?:run )?(\w+)(?: +#.*)?$/;

/** A fenced block of a document. */
export interface Snippet {
  /**
   * `client`: TypeScript of another project. `source`: TypeScript whose first line names its file in a checkout.
   * `commands`: npm commands. `ready`: the ready line.
   */
  kind: "client" | "source" | "curl" | "json" | "commands" | "ready" | "unknown";
  text: string;
  /** The file of a `source`. */
  path: string;
  /** The npm scripts that `commands` run. */
  scripts: string[];
}

/** Reads the fenced blocks of a document, in order. */
export function readSnippets(document: string): Snippet[] {
  const text = readFileSync(`${ROOT}${document}`, "utf8");
  return [...text.matchAll(BLOCK)].map(([, language = "", block = ""]) => describe(language, block));
}

function describe(language: string, text: string): Snippet {
  const path = /^\/\/ (src\/\S+)\n/.exec(text)?.[1] ?? "";
  const commands = text.split(/\n| && /).filter((line) => line.trim() !== "");
  const scripts = commands.map((line) => COMMAND.exec(line)?.[1] ?? "");
  const one = { text, path, scripts };
  if (language === "ts") return { ...one, kind: path === "" ? "client" : "source" };
  if (language === "json") return { ...one, kind: "json" };
  if (language !== "") return { ...one, kind: "unknown" };
  if (text.startsWith("curl ")) return { ...one, kind: "curl" };
  if (/^Threadmill ready at \S+\n$/.test(text)) return { ...one, kind: "ready" };
  return { ...one, kind: scripts.includes("") ? "unknown" : "commands" };
}
