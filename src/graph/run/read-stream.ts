import { AIMessageChunk } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import type { TurnEvent } from "../turn.ts";

/** The stream modes that turn events come from. */
export const EVENT_MODES = ["updates", "messages", "custom", "tasks"] as const;

/** A node streams its own text as custom data under this key. */
export const TEXT_KEY = "__text__";

/** One chunk of a graph's stream: the namespace of the sending graph or subgraph, the mode and the data. */
export type StreamChunk = [namespace: readonly string[], mode: string, data: unknown];

/** Converts a stream chunk to turn events; empty when the chunk carries nothing for a reader. */
export function readStream([namespace, mode, chunk]: StreamChunk): TurnEvent[] {
  const path = (step: string) => [...namespace.map((part) => part.split(":")[0]), step].join("/");
  switch (mode) {
    case "updates":
      // The root graph repeats the questions of its subgraphs.
      return readUpdates(chunk as Record<string, unknown>, path).filter(
        ({ type }) => type !== "interrupt" || namespace.length === 0,
      );
    case "messages":
      return readMessage(chunk as [BaseMessage, Record<string, unknown>], path);
    case "tasks":
      return [readTask(chunk as TaskChunk, path)];
    case "custom": {
      const text = typeof chunk === "object" && chunk !== null && TEXT_KEY in chunk ? chunk[TEXT_KEY] : undefined;
      return [
        typeof text === "string"
          ? { type: "token", data: { text, step: null, message: null } }
          : { type: "custom", data: chunk },
      ];
    }
    default:
      return [];
  }
}

type Path = (step: string) => string;

function readUpdates(updates: Record<string, unknown>, path: Path): TurnEvent[] {
  return Object.entries(updates).flatMap(([step, update]): TurnEvent[] => {
    if (step !== "__interrupt__") return step.startsWith("__") ? [] : [{ type: "step", data: { step: path(step) } }];
    const interrupts = update as { id?: string; value?: unknown }[];
    return [{ type: "interrupt", data: interrupts.map(({ id, value }) => ({ id: id ?? null, value: value ?? null })) }];
  });
}

function readMessage([message, metadata]: [BaseMessage, Record<string, unknown>], path: Path): TurnEvent[] {
  // Nodes' whole messages arrive here as well. Only a model's chunks are new text.
  if (!AIMessageChunk.isInstance(message) || message.text === "") return [];
  const step = metadata["langgraph_node"];
  const data = { text: message.text, step: typeof step === "string" ? path(step) : null, message: message.id ?? null };
  return [{ type: "token", data }];
}

interface TaskChunk {
  id: string;
  name: string;
  result?: unknown;
  error?: unknown;
}

function readTask(task: TaskChunk, path: Path): TurnEvent {
  const state = task.error ? "failed" : "result" in task ? "finished" : "started";
  return { type: "task", data: { id: task.id, step: path(task.name), state } };
}
