const MAX_NAME_CHARS = 200;
const MAX_MESSAGE_CHARS = 2_000;
const MAX_STACK_CHARS = 8_000;

/** The values that follow such a name are secrets, in settings, JSON and headers. */
const SECRET_NAME = String.raw`(?:api|access|secret|private|account)[-_]?key|token|password|passwd|pwd|secret`;
const SECRET_LABEL = String.raw`((?:${SECRET_NAME})\\?["']?\s*[=:]\s*)`;

/**
 * What is masked, in this order. Lengths are bounded so that no text takes more than linear time.
 * @see https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns
 */
const SECRETS: readonly [RegExp, string][] = [
  [
    /(-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY)[\s\S]*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|$)/g,
    "$1 ***",
  ],
  // A password may hold an @: everything up to the last one of the address belongs to it.
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/]{0,1000}@/gi, "$1***@"],
  // It may hold a slash as well, where it is not encoded; a port is no password.
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/:@[\]]{0,200}:(?!\d{1,5}(?:[/?#]|$))\S{0,1000}@/gi, "$1***@"],
  [/\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g, "eyJ***"],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, "$1 ***"],
  [/\b(AKIA|ASIA)[A-Z0-9]{16}/g, "$1***"],
  [/\bAIza[\w-]{30,}/g, "AIza***"],
  [/\b(gh[pousr]_|github_pat_|npm_|hf_|lsv2_[a-z]{2}_|glpat-)[\w-]{16,}/g, "$1***"],
  [/\b(xox[a-z]-|xapp-)[\w-]{8,}/g, "$1***"],
  [/(?<![A-Za-z0-9-])((?:sk|pk|rk)(?:-|_(?:live|test)_))[\w-]{8,}/g, "$1***"],
  [new RegExp(String.raw`${SECRET_LABEL}(\\?)(["'])(?:(?!\2\3)[^\n]){1,1000}\2\3`, "gi"), "$1$2$3***$2$3"],
  [new RegExp(String.raw`${SECRET_LABEL}[^\s"',;&\\]{3,}`, "gi"), "$1***"],
];

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
  const redacted = SECRETS.reduce(
    (kept, [pattern, mask]) => kept.replace(pattern, mask),
    text.replaceAll("\u0000", ""),
  );
  if (redacted.length <= maxChars) return redacted;
  // Half of a surrogate pair is no text that can be stored as JSON.
  return `${redacted.slice(0, maxChars - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
