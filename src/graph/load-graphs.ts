import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseEnv } from "node:util";
import { AIMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { PermanentGraphError } from "./errors.ts";
import { runGraph, toMessage } from "./run/run-graph.ts";
import type { AnyGraph } from "./run/run-graph.ts";
import type { Ending, TurnInput, TurnOptions } from "./turn.ts";

/** A graph of one's own that can be chatted with. */
export interface LoadedGraph {
  name: string;
  description: string | null;
  /** Runs one turn, or what is left of it; rejects as `runGraph` does. */
  runTurn: (saver: BaseCheckpointSaver, input: TurnInput, options: TurnOptions) => Promise<Ending<{ reply: string }>>;
}

/** An entry that cannot be run, and why, in one line. */
export interface BrokenGraph {
  name: string;
  error: string;
}

const entrySchema = z.union([
  z.string(),
  z.object({ path: z.string(), description: z.string().optional() }).transform((entry) => entry),
]);
const fileSchema = z.looseObject({
  graphs: z.record(z.string(), z.unknown(), "graphs must be an object"),
  env: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
});
const NAME = /^[A-Za-z0-9_.-]{1,90}$/;

/**
 * Loads the graphs that a `langgraph.json` names, as LangGraph's own tools do; each by itself, so that one which cannot
 * be loaded leaves the others alone.
 * @throws Error with one line when the file cannot be read or has no `graphs`.
 * @see https://docs.langchain.com/langsmith/cli#configuration-file
 */
export async function loadGraphs(file: string): Promise<{ graphs: LoadedGraph[]; broken: BrokenGraph[] }> {
  const entries = Object.entries((await readFileOfGraphs(file)).graphs);
  const graphs: LoadedGraph[] = [];
  const broken: BrokenGraph[] = [];
  for (const [name, entry] of entries) {
    try {
      graphs.push(await loadGraph(name, entry, dirname(file)));
    } catch (error) {
      broken.push({ name, error: error instanceof Error ? (error.message.split("\n")[0] ?? "") : "unknown error" });
    }
  }
  return { graphs, broken };
}

/**
 * The variables that a `langgraph.json` sets for its graphs: those it holds, or those of the file that it names; none
 * where that is not there, for they may be set otherwise.
 * @throws Error with one line when the file itself cannot be read.
 */
export async function readGraphEnv(file: string): Promise<Record<string, string>> {
  const { env } = await readFileOfGraphs(file);
  if (typeof env !== "string") return env ?? {};
  const text = await readFile(resolve(dirname(file), env), "utf8").catch(() => "");
  return parseEnv(text) as Record<string, string>;
}

async function readFileOfGraphs(file: string): Promise<z.infer<typeof fileSchema>> {
  const text = await readFile(file, "utf8").catch(() => {
    throw new Error(`${file} cannot be read`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error(`${file} is no JSON`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success)
    throw new Error(
      `${file} must have graphs: {"name": "./path.ts:export"}, and env, if any, must be a file's name or an object of texts`,
    );
  return parsed.data;
}

async function loadGraph(name: string, entry: unknown, folder: string): Promise<LoadedGraph> {
  if (!NAME.test(name)) throw new Error("its name may have letters, digits and _ . - only, at most 90");
  const parsed = entrySchema.safeParse(entry);
  if (!parsed.success) throw new Error('it must be "./path.ts:export", or an object with that as its path');
  const { path, description } =
    typeof parsed.data === "string" ? { path: parsed.data, description: undefined } : parsed.data;
  const [, module = path, exported = "default"] = /^(.*?)(?::([A-Za-z_$][\w$]*))?$/.exec(path) ?? [];
  const url = pathToFileURL(resolve(folder, module));
  if (/^\.[cm]?tsx?$/.test(extname(module))) await loadTypeScript();
  const loaded = (await import(url.href)) as Record<string, unknown>;
  if (!(exported in loaded)) throw new Error(`${module} has no export ${exported}`);
  return openGraph(name, description ?? null, await compile(loaded[exported]));
}

/**
 * A graph that is there already, as something that can be chatted with.
 * @throws Error when it cannot be.
 */
export function wrapGraph(name: string, graph: { compile: () => unknown }): LoadedGraph {
  return openGraph(name, null, check(graph.compile() as AnyGraph));
}

function openGraph(name: string, description: string | null, compiled: AnyGraph): LoadedGraph {
  return {
    name,
    description,
    async runTurn(saver, input, options) {
      const graph = withSaver(compiled, saver);
      const ending = await runGraph({ graph, saver, toInput, closesToolCalls: true }, input, options);
      return ending.waits ? ending : { waits: false, output: { reply: readReply(ending.output, input.messageId) } };
    },
  };
}

let typescript: Promise<void> | undefined;

/** Lets this process import TypeScript; only once a graph is written in it. */
async function loadTypeScript(): Promise<void> {
  typescript ??= import("tsx/esm/api").then(({ register }) => void register());
  return typescript;
}

/** A graph as it is exported: compiled, still a builder, or a function that makes one. */
async function compile(exported: unknown): Promise<AnyGraph> {
  const made: unknown = typeof exported === "function" ? await (exported as (config: object) => unknown)({}) : exported;
  if (typeof made !== "object" || made === null) throw new Error("its export is no graph");
  // An agent of the `langchain` package holds its graph.
  const value = "graph" in made && typeof made.graph === "object" && made.graph !== null ? made.graph : made;
  return check(("stream" in value && "getState" in value ? value : compileBuilder(value)) as AnyGraph);
}

function check(graph: AnyGraph): AnyGraph {
  if (!("messages" in (graph.channels ?? {})))
    throw new Error("a graph that can be chatted with keeps the conversation in a channel named messages");
  const stops = [graph.interruptBefore, graph.interruptAfter].some(
    (nodes) => nodes === "*" || (nodes?.length ?? 0) > 0,
  );
  if (stops)
    throw new Error("interruptBefore and interruptAfter ask no question: call interrupt() in the node instead");
  return graph;
}

function compileBuilder(value: object): unknown {
  if (!("compile" in value) || typeof value.compile !== "function") throw new Error("its export is no graph");
  return (value as { compile: () => unknown }).compile();
}

/** The same graph with its checkpoints elsewhere; jobs that run at once must not share one. */
function withSaver(compiled: AnyGraph, saver: BaseCheckpointSaver): AnyGraph {
  const graph = compiled.withConfig({});
  graph.checkpointer = saver;
  return graph;
}

function toInput({ messageId, content, history }: TurnInput, open: readonly BaseMessage[]): object {
  return { messages: [...history.map(toMessage), ...open, toMessage({ id: messageId, role: "user", content })] };
}

/** The last thing that the graph said in this turn. */
function readReply(state: unknown, messageId: string): string {
  const messages = (state as { messages?: BaseMessage[] } | undefined)?.messages ?? [];
  const asked = messages.findIndex((message) => message.id === messageId);
  const said = messages.slice(asked + 1).filter((message) => AIMessage.isInstance(message));
  const reply = said.at(-1)?.text.trim();
  if (!reply)
    throw new PermanentGraphError("The graph ended without a reply: its last message must be the assistant's");
  return reply;
}
