const MAX_MESSAGE_CHARS = 2_000;
const MAX_STACK_CHARS = 8_000;

const SECRETS: readonly [RegExp, string][] = [
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, "$1***@"],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, "$1 ***"],
  [/\b(sk|pk|rk)-[A-Za-z0-9_-]{8,}/g, "$1-***"],
  [/\b((?:api[-_]?key|token|password|passwd|secret)["']?\s*[=:]\s*["']?)[^\s"',;&]{3,}/gi, "$1***"],
];

/** A thrown value as name, message and stack: bounded, without NUL characters, secrets such as keys and passwords redacted. */
export function describeError(thrown: unknown): { name: string; message: string; stack: string | null } {
  if (!(thrown instanceof Error))
    return { name: "Error", message: clean(String(thrown), MAX_MESSAGE_CHARS), stack: null };
  return {
    name: thrown.name,
    message: clean(thrown.message, MAX_MESSAGE_CHARS) || thrown.name,
    stack: thrown.stack === undefined ? null : clean(thrown.stack, MAX_STACK_CHARS),
  };
}

function clean(text: string, maxChars: number): string {
  const redacted = SECRETS.reduce(
    (kept, [pattern, mask]) => kept.replace(pattern, mask),
    text.replaceAll("\u0000", ""),
  );
  return redacted.length <= maxChars ? redacted : `${redacted.slice(0, maxChars - 1)}…`;
}
