import { redact } from "#shared/redact";

const MAX_NAME_CHARS = 200;
const MAX_MESSAGE_CHARS = 2_000;
const MAX_STACK_CHARS = 8_000;

/** A thrown value as name, message and stack: bounded, without NUL characters, secrets such as keys and passwords redacted. Never throws. */
export function describeError(thrown: unknown): { name: string; message: string; stack: string | null } {
  if (!(thrown instanceof Error))
    return { name: "Error", message: clean(toText(thrown), MAX_MESSAGE_CHARS), stack: null };
  const name = clean(toText(thrown.name), MAX_NAME_CHARS);
  const stack: unknown = thrown.stack;
  return {
    name,
    message: clean(toText(thrown.message), MAX_MESSAGE_CHARS) || name,
    stack: typeof stack === "string" ? clean(stack, MAX_STACK_CHARS) : null,
  };
}

/** Handlers and their libraries may throw anything, also what cannot be made a string. */
function toText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "a value that has no text was thrown";
  }
}

function clean(text: string, maxChars: number): string {
  const redacted = redact(text.replaceAll("\u0000", ""));
  if (redacted.length <= maxChars) return redacted;
  // Half of a surrogate pair is no text that can be stored as JSON.
  return `${redacted.slice(0, maxChars - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
