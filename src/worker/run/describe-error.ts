import { redact } from "#shared/redact";

const MAX_NAME_CHARS = 200;
const MAX_MESSAGE_CHARS = 2_000;
const MAX_STACK_CHARS = 8_000;

/** A thrown value as name, message and stack: bounded, without NUL characters, secrets such as keys and passwords redacted. Never throws. */
export function describeError(thrown: unknown): { name: string; message: string; stack: string | null } {
  if (!(thrown instanceof Error))
    return { name: "Error", message: clean(toText(thrown), MAX_MESSAGE_CHARS), stack: null };
  const name = clean(nameOf(thrown), MAX_NAME_CHARS);
  const stack: unknown = thrown.stack;
  return {
    name,
    message: clean(toText(thrown.message), MAX_MESSAGE_CHARS) || name,
    stack: typeof stack === "string" ? clean(stack, MAX_STACK_CHARS) : null,
  };
}

/** A log's `err`, whether an error or one that is described already: `type` is the class, everything else as described. */
export function serializeError(value: unknown): { type: string; message: string; stack: string | null } {
  const { name, message, stack } = isDescribed(value) ? value : describeError(value);
  return { type: name, message, stack };
}

function isDescribed(value: unknown): value is ReturnType<typeof describeError> {
  return (
    typeof value === "object" && value !== null && !(value instanceof Error) && "name" in value && "stack" in value
  );
}

/** The error's own name, or that of its class where it has only the inherited one. */
function nameOf(thrown: Error): string {
  const name = toText(thrown.name);
  if (name !== "Error") return name;
  const { constructor }: { constructor: unknown } = thrown;
  return typeof constructor === "function" && constructor.name !== "" ? constructor.name : name;
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
