import { redact } from "#shared/redact";

const MAX_NAME_CHARS = 200;
const MAX_MESSAGE_CHARS = 2_000;
const MAX_STACK_CHARS = 8_000;

/** Describes a thrown value in short text without NUL characters and without secrets such as keys. Never throws. */
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

/** Serialises the `err` of a log line: an error or a described error. `type` is the error's class. */
export function serializeError(value: unknown): { type: string; message: string; stack: string | null } {
  const { name, message, stack } = isDescribed(value) ? value : describeError(value);
  return { type: name, message, stack };
}

function isDescribed(value: unknown): value is ReturnType<typeof describeError> {
  return (
    typeof value === "object" && value !== null && !(value instanceof Error) && "name" in value && "stack" in value
  );
}

/** The error's own name, or the name of its class. */
function nameOf(thrown: Error): string {
  const name = toText(thrown.name);
  if (name !== "Error") return name;
  const { constructor }: { constructor: unknown } = thrown;
  return typeof constructor === "function" && constructor.name !== "" ? constructor.name : name;
}

/** Never throws, although a value's `toString` may throw. */
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
  // PostgreSQL refuses half of a surrogate pair in JSON.
  return `${redacted.slice(0, maxChars - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
