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

/** A graph of the user that can hold a conversation. */
export interface LoadedGraph {
  name: string;
  description: string | null;
  /** Runs or resumes one turn; rejects as `runGraph` does. */
  runTurn: (saver: BaseCheckpointSaver, input: TurnInput, options: TurnOptions) => Promise<Ending<{ reply: string }>>;
}

/** An entry that cannot be loaded. */
export interface BrokenGraph {
  name: string;
  /** The reason, in one line. */
  error: string;
}

const entrySchema = z.union([
  z.string().transform((path) => ({ path, description: undefined })),
  z.object({ path: z.string(), description: z.string().optional() }),
]);
const fileSchema = z.looseObject({
  graphs: z.record(z.string(), z.unknown(), "graphs must be an object"),
  env: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
});
const NAME = /^[A-Za-z0-9_.-]{1,90}$/;

/**
 * Loads the graphs of a `langgraph.json`, as LangGraph's own tools do. A broken entry does not affect the others.
 * @throws Error with a one-line message when the file cannot be read or has no `graphs`.
 * @see https://docs.langchain.com/langsmith/cli#configuration-file
 */
export async function loadGraphs(file: string): Promise<{ graphs: LoadedGraph[]; broken: BrokenGraph[] }> {
  const graphs: LoadedGraph[] = [];
  const broken: BrokenGraph[] = [];
  for (const [name, entry] of Object.entries((await readConfig(file)).graphs)) {
    try {
      graphs.push(await loadGraph(name, entry, dirname(file)));
    } catch (error) {
      broken.push({ name, error: error instanceof Error ? (error.message.split("\n")[0] ?? "") : "unknown error" });
    }
  }
  return { graphs, broken };
}

/**
 * Reads the variables that a `langgraph.json` sets for its graphs, inline or in the file it names. A missing variables
 * file counts as empty, because the variables may be set otherwise.
 * @throws Error with a one-line message when the `langgraph.json` cannot be read.
 */
export async function readGraphEnv(file: string): Promise<Record<string, string>> {
  const { env } = await readConfig(file);
  if (typeof env !== "string") return env ?? {};
  const text = await readFile(resolve(dirname(file), env), "utf8").catch(() => "");
  return parseEnv(text) as Record<string, string>;
}

async function readConfig(file: string): Promise<z.infer<typeof fileSchema>> {
  const text = await readFile(file, "utf8").catch(() => {
    throw new Error(`${file} cannot be read`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error(`${file} is not valid JSON`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success)
    throw new Error(
      `${file} must have graphs: {"name": "./path.ts:export"}; env is optional, and must be a file name or an object of strings`,
    );
  return parsed.data;
}

async function loadGraph(name: string, entry: unknown, folder: string): Promise<LoadedGraph> {
  if (!NAME.test(name)) throw new Error("its name may have only letters, digits and _ . -, and at most 90 characters");
  const parsed = entrySchema.safeParse(entry);
  if (!parsed.success) throw new Error('it must be "./path.ts:export" or an object with such a path');
  const { path, description = null } = parsed.data;
  const [, module = path, exported = "default"] = /^(.*?)(?::([A-Za-z_$][\w$]*))?$/.exec(path) ?? [];
  const url = pathToFileURL(resolve(folder, module));
  if (/^\.[cm]?tsx?$/.test(extname(module))) await loadTypeScript();
  const loaded = (await import(url.href)) as Record<string, unknown>;
  if (!(exported in loaded)) throw new Error(`${module} has no export ${exported}`);
  return openGraph(name, description, await compile(loaded[exported]));
}

/**
 * Wraps a graph of this process for conversations.
 * @throws Error when the graph cannot hold a conversation.
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

/** Enables imports of TypeScript. Called only for a graph written in it. */
async function loadTypeScript(): Promise<void> {
  typescript ??= import("tsx/esm/api").then(({ register }) => void register());
  return typescript;
}

/** Compiles an exported graph, graph builder, or function that returns either. */
async function compile(exported: unknown): Promise<AnyGraph> {
  const made: unknown = typeof exported === "function" ? await (exported as (config: object) => unknown)({}) : exported;
  if (typeof made !== "object" || made === null) throw new Error("its export is not a graph");
  // An agent of the `langchain` package has its graph as a property.
  const value = "graph" in made && typeof made.graph === "object" && made.graph !== null ? made.graph : made;
  return check(("stream" in value && "getState" in value ? value : compileBuilder(value)) as AnyGraph);
}

function check(graph: AnyGraph): AnyGraph {
  if (!("messages" in (graph.channels ?? {})))
    throw new Error("its state must keep the conversation in a channel named messages");
  const stopsSilently = [graph.interruptBefore, graph.interruptAfter].some(
    (nodes) => nodes === "*" || (nodes?.length ?? 0) > 0,
  );
  if (stopsSilently)
    throw new Error("interruptBefore and interruptAfter ask no question: call interrupt() in the node instead");
  return graph;
}

function compileBuilder(value: object): unknown {
  if (!("compile" in value) || typeof value.compile !== "function") throw new Error("its export is not a graph");
  return (value as { compile: () => unknown }).compile();
}

/** Copies the graph for one saver. Concurrent jobs must not share a graph object. */
function withSaver(compiled: AnyGraph, saver: BaseCheckpointSaver): AnyGraph {
  const graph = compiled.withConfig({});
  graph.checkpointer = saver;
  return graph;
}

function toInput({ messageId, content, history }: TurnInput, closing: readonly BaseMessage[]): object {
  return { messages: [...history.map(toMessage), ...closing, toMessage({ id: messageId, role: "user", content })] };
}

/** The assistant's last message of this turn. */
function readReply(state: unknown, messageId: string): string {
  const messages = (state as { messages?: BaseMessage[] } | undefined)?.messages ?? [];
  const asked = messages.findIndex((message) => message.id === messageId);
  const said = messages.slice(asked + 1).filter((message) => AIMessage.isInstance(message));
  const reply = said.at(-1)?.text.trim();
  if (!reply)
    throw new PermanentGraphError("The graph ended without a reply: its last message must come from the assistant");
  return reply;
}
