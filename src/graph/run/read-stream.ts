import { AIMessageChunk } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import type { TurnEvent } from "../turn.ts";

/** The stream modes that events are made from. */
export const EVENT_MODES = ["updates", "messages", "custom", "tasks"] as const;

/** A node streams text that no model writes as custom data under this key. */
export const TEXT_KEY = "__text__";

/** One chunk of the stream of a graph and its subgraphs: the namespace of the one that sends it, the mode and the data. */
export type StreamChunk = [namespace: readonly string[], mode: string, data: unknown];

/** What one chunk of a graph's stream says; empty where it says nothing to a reader. */
export function readStream([namespace, mode, chunk]: StreamChunk): TurnEvent[] {
  const path = (step: string) => [...namespace.map((part) => part.split(":")[0]), step].join("/");
  switch (mode) {
    case "updates":
      // The graph itself tells again what its subgraphs ask.
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
  // Whole messages that nodes return come through here too; only a model's pieces are text that is new.
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
