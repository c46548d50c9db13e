import { PermanentGraphError, RateLimitedGraphError } from "../errors.ts";

const LONGEST_WAIT_MS = 3_600_000;

/** What a failed call of a model means for the turn: permanent, limited in rate, or, unchanged, worth another try. */
export function readModelError(error: unknown): unknown {
  if (error instanceof PermanentGraphError || error instanceof RateLimitedGraphError) return error;
  const { status, status_code: statusCode, code, headers } = asRecord(error);
  const options = { cause: error };
  switch (status ?? statusCode) {
    case 401:
    case 403:
      return new PermanentGraphError(
        "The model's provider refused the key: check the API key that belongs to MODEL or to the graph's own model",
        options,
      );
    case 402:
      return new PermanentGraphError(
        "The model's provider refused the call for lack of credit: top up its account",
        options,
      );
    case 404:
      return new PermanentGraphError(
        "The model's provider does not know the model: check MODEL or the graph's own model, and the base URL",
        options,
      );
    case 400:
    case 413:
    case 422:
      return new PermanentGraphError(
        "The model's provider refused the request as it is: it may be too long for the model",
        options,
      );
    case 429:
      if (code === "insufficient_quota")
        return new PermanentGraphError(
          "The quota at the model's provider is used up: raise it or change MODEL",
          options,
        );
      return new RateLimitedGraphError(readRetryAfter(headers), options);
    default:
      return error;
  }
}

/** The wait that response headers ask for, in milliseconds from 0 to one hour; null when they ask for none. */
export function readRetryAfter(headers: unknown): number | null {
  const read = (name: string): string | null =>
    headers instanceof Headers ? headers.get(name) : ((asRecord(headers)[name] as string | undefined) ?? null);
  const bounded = (ms: number) => (Number.isFinite(ms) ? Math.min(Math.max(Math.ceil(ms), 0), LONGEST_WAIT_MS) : null);
  const millis = read("retry-after-ms");
  if (millis !== null) return bounded(Number(millis));
  const after = read("retry-after");
  if (after === null) return null;
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(after)) return bounded(Number(after) * 1_000);
  // Against the provider's own clock: this process's may be off.
  return bounded(Date.parse(after) - Date.parse(read("date") ?? ""));
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
