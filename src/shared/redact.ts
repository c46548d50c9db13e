/** Masks secrets in texts that are logged, stored or shown. */

/** Names whose values are secrets, in settings, JSON and headers. */
const SECRET_NAME = String.raw`(?:api|access|secret|private|account)[-_]?key|token|password|passwd|pwd|secret`;
const SECRET_LABEL = String.raw`((?:${SECRET_NAME})\\?["']?\s*[=:]\s*)`;

/**
 * The patterns with their masks, applied in this order. Bounded lengths keep the time linear in the text.
 * @see https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns
 */
const SECRETS: readonly [RegExp, string][] = [
  [
    /(-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY)[\s\S]*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|$)/g,
    "$1 ***",
  ],
  // A password may contain @: mask up to the last one of the URL's authority.
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/]{0,1000}@/gi, "$1***@"],
  // An unencoded password may contain a slash as well. Digits alone are a port.
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

/** The text with keys, tokens and passwords masked. */
export function redact(text: string): string {
  return SECRETS.reduce((kept, [pattern, mask]) => kept.replace(pattern, mask), text);
}
