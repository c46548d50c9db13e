import { AIMessageChunk } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import type { TurnEvent } from "./turn.ts";

/** The stream modes that events are made from. */
export const EVENT_MODES = ["updates", "messages", "custom", "tasks"] as const;

/** A node streams text that no model writes as custom data under this key. */
export const TEXT_KEY = "__text__";

/** What one chunk of a graph's stream says; empty where it says nothing to a reader. */
export function readStream(mode: string, chunk: unknown): TurnEvent[] {
  switch (mode) {
    case "updates":
      return readUpdates(chunk as Record<string, unknown>);
    case "messages":
      return readMessage(chunk as [BaseMessage, Record<string, unknown>]);
    case "tasks":
      return [readTask(chunk as TaskChunk)];
    case "custom": {
      const text = typeof chunk === "object" && chunk !== null && TEXT_KEY in chunk ? chunk[TEXT_KEY] : undefined;
      return [
        typeof text === "string" ? { type: "token", data: { text, step: null } } : { type: "custom", data: chunk },
      ];
    }
    default:
      return [];
  }
}

function readUpdates(updates: Record<string, unknown>): TurnEvent[] {
  return Object.entries(updates).flatMap(([step, update]): TurnEvent[] => {
    if (step !== "__interrupt__") return step.startsWith("__") ? [] : [{ type: "step", data: { step } }];
    const interrupts = update as { id?: string; value?: unknown }[];
    return [{ type: "interrupt", data: interrupts.map(({ id, value }) => ({ id: id ?? null, value: value ?? null })) }];
  });
}

function readMessage([message, metadata]: [BaseMessage, Record<string, unknown>]): TurnEvent[] {
  // Whole messages that nodes return come through here too; only a model's pieces are text that is new.
  if (!AIMessageChunk.isInstance(message) || message.text === "") return [];
  const step = metadata["langgraph_node"];
  return [{ type: "token", data: { text: message.text, step: typeof step === "string" ? step : null } }];
}

interface TaskChunk {
  id: string;
  name: string;
  result?: unknown;
  error?: unknown;
}

function readTask(task: TaskChunk): TurnEvent {
  const state = task.error ? "failed" : "result" in task ? "finished" : "started";
  return { type: "task", data: { id: task.id, step: task.name, state } };
}
