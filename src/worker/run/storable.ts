const SUSPECT = /\\u0000|\\ud[89a-f]/i;
const BROKEN = /\p{Surrogate}/gu;

/**
 * A JSON value as PostgreSQL can store it: without NUL characters, halves of surrogate pairs replaced; most values are
 * returned as they are.
 * @throws TypeError when it is no JSON value, such as a bigint or a circle.
 */
export function storable<T>(value: T): T {
  if (value === null || value === undefined) return value;
  if (typeof value === "string") return clean(value) as T;
  // What is suspect may also be a backslash that somebody wrote; cleaning that changes nothing.
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError(`a ${typeof value} is no JSON value`);
  return SUSPECT.test(json) ? (cleanAll(JSON.parse(json)) as T) : value;
}

/** How many bytes a value has as JSON. */
export function byteLengthOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}

function clean(text: string): string {
  return text.replaceAll("\u0000", "").replaceAll(BROKEN, "\uFFFD");
}

function cleanAll(value: unknown): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map(cleanAll);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [clean(key), cleanAll(inner)]));
}
