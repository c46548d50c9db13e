import { PermanentGraphError, RateLimitedGraphError } from "../errors.ts";

const LONGEST_WAIT_MS = 3_600_000;
const REFUSED_KEY =
  "The model's provider refused the key: check the API key that belongs to MODEL or to the graph's own model";
const REFUSED_REQUEST = "The model's provider refused the request: it may be too long for the model";
const USED_UP = "The quota at the model's provider is used up: raise it or change MODEL";
/** By HTTP status: why a retry cannot help. */
const PERMANENT: ReadonlyMap<unknown, string> = new Map([
  [400, REFUSED_REQUEST],
  [401, REFUSED_KEY],
  [402, "The model's provider refused the call for lack of credit: top up its account"],
  [403, REFUSED_KEY],
  [404, "The model's provider does not know the model: check MODEL or the graph's own model, and the base URL"],
  [413, REFUSED_REQUEST],
  [422, REFUSED_REQUEST],
]);

/** Maps a failed model call to a permanent or a rate-limit error. Returns any other error unchanged: retry it. */
export function readModelError(error: unknown): unknown {
  if (error instanceof PermanentGraphError || error instanceof RateLimitedGraphError) return error;
  const { status: ownStatus, status_code: statusCode, code, headers } = asRecord(error);
  const status = ownStatus ?? statusCode;
  const options = { cause: error };
  if (status === 429 && code !== "insufficient_quota")
    return new RateLimitedGraphError(readRetryAfter(headers), options);
  const reason = status === 429 ? USED_UP : PERMANENT.get(status);
  return reason === undefined ? error : new PermanentGraphError(reason, options);
}

/** The delay that response headers ask for, in milliseconds from 0 to one hour; null when they ask for none. */
export function readRetryAfter(headers: unknown): number | null {
  const read = (name: string): string | null =>
    headers instanceof Headers ? headers.get(name) : ((asRecord(headers)[name] as string | undefined) ?? null);
  const bounded = (ms: number) => (Number.isFinite(ms) ? Math.min(Math.max(Math.ceil(ms), 0), LONGEST_WAIT_MS) : null);
  const millis = read("retry-after-ms");
  if (millis !== null) return bounded(Number(millis));
  const after = read("retry-after");
  if (after === null) return null;
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(after)) return bounded(Number(after) * 1_000);
  // Compared with the provider's `date` header, because this process's clock may be wrong.
  return bounded(Date.parse(after) - Date.parse(read("date") ?? ""));
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
