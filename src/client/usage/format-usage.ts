import type { Usage } from "#shared/usage";

/** All tokens, with their cost when it is known: `1,234 tokens · $0.0012`. */
export function formatUsage(usage: Usage): string {
  const tokens = usage.inputTokens + usage.outputTokens;
  const cost = formatCost(usage);
  return `${tokens.toLocaleString()} ${tokens === 1 ? "token" : "tokens"}${cost === null ? "" : ` · ${cost}`}`;
}

/** Input and output tokens: `1,200 in, 34 out`. */
export function formatInAndOut({ inputTokens, outputTokens }: Usage): string {
  return `${inputTokens.toLocaleString()} in, ${outputTokens.toLocaleString()} out`;
}

/** A cost in US dollars, to three digits: `$1.25`, `$0.000025`; null when it is not known. */
export function formatCost({ costUsd }: Pick<Usage, "costUsd">): string | null {
  if (costUsd === null) return null;
  return `$${costUsd.toLocaleString("en-US", { maximumSignificantDigits: 3 })}`;
}
