/** What a job's event log has told so far of a reply that is being written. */
export interface Partial {
  /** The number of the last event read; 0 before the first. */
  seq: number;
  /** The attempt that writes it; 0 before one has begun. */
  attempt: number;
  /** The texts that are being written, in the order in which they began: models may write several at once. */
  parts: readonly { message: string; text: string }[];
  /** All of them, one after the other. */
  text: string;
  /** The step that the run is at; null before the first. */
  step: string | null;
}

export const NOTHING_YET: Partial = { seq: 0, attempt: 0, parts: [], text: "", step: null };

interface LogEvent {
  seq: number;
  attempt: number;
  type: string;
  data?: unknown;
}

/**
 * The reply after one more event of the log. What a dead attempt had written is dropped when the next one begins to
 * write, for that writes it again from its last checkpoint.
 */
export function readPartial(before: Partial, { seq, attempt, type, data }: LogEvent): Partial {
  // A stream that was joined again may begin with what is known.
  if (seq <= before.seq || attempt < before.attempt) return before;
  const fresh = { ...NOTHING_YET, seq, attempt };
  const partial = attempt > before.attempt ? fresh : { ...before, seq };
  if (type === "token") return addText(partial, textOf(data, "message"), textOf(data, "text"));
  if (type === "progress") return { ...partial, step: textOf(data, "step") };
  return type === "retrying" || type === "released" ? fresh : partial;
}

function addText(partial: Partial, message: string, text: string): Partial {
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
