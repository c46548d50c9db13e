/** Secrets in texts that are logged, stored or shown. Browser-safe. */
const SECRETS: readonly [RegExp, string][] = [
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, "$1***@"],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, "$1 ***"],
  [/\b(sk|pk|rk)-[A-Za-z0-9_-]{8,}/g, "$1-***"],
  [/\b((?:api[-_]?key|token|password|passwd|secret)["']?\s*[=:]\s*["']?)[^\s"',;&]{3,}/gi, "$1***"],
];

/** The text without keys, tokens and passwords. */
export function redact(text: string): string {
  return SECRETS.reduce((kept, [pattern, mask]) => kept.replace(pattern, mask), text);
}
