/** A reply in progress, read from its job's event log. */
export interface PartialReply {
  /** The number of the last event read; 0 before the first. */
  seq: number;
  /** The attempt that writes the reply; 0 before the first. */
  attempt: number;
  /** The texts in progress, in the order of their start. Models may write several at once. */
  parts: readonly { message: string; text: string }[];
  /** All parts, joined by blank lines. */
  text: string;
  /** The run's current step; null before the first. */
  step: string | null;
}

export const NOTHING_YET: PartialReply = { seq: 0, attempt: 0, parts: [], text: "", step: null };

interface LogEvent {
  seq: number;
  attempt: number;
  type: string;
  data?: unknown;
}

/**
 * Adds one event to the reply. The next attempt's first event drops the text of a dead attempt, because the new attempt
 * writes it again from its last checkpoint.
 */
export function readPartial(before: PartialReply, { seq, attempt, type, data }: LogEvent): PartialReply {
  // A resumed stream may repeat events.
  if (seq <= before.seq || attempt < before.attempt) return before;
  const fresh = { ...NOTHING_YET, seq, attempt };
  const partial = attempt > before.attempt ? fresh : { ...before, seq };
  if (type === "token") return addText(partial, textOf(data, "message"), textOf(data, "text"));
  if (type === "progress") return { ...partial, step: textOf(data, "step") };
  return type === "retrying" || type === "released" ? fresh : partial;
}

function addText(partial: PartialReply, message: string, text: string): PartialReply {
  const known = partial.parts.some((part) => part.message === message);
  const parts = known
    ? partial.parts.map((part) => (part.message === message ? { message, text: part.text + text } : part))
    : [...partial.parts, { message, text }];
  return { ...partial, parts, text: parts.map((part) => part.text).join("\n\n") };
}

function textOf(data: unknown, key: string): string {
  if (typeof data !== "object" || data === null) return "";
  const value: unknown = Object.entries(data).find(([name]) => name === key)?.[1];
  return typeof value === "string" ? value : "";
}
