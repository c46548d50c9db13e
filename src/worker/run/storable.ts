const SUSPECT = /\\u0000|\\ud[89a-f]/i;
const BROKEN = /\p{Surrogate}/gu;

/**
 * Makes a JSON value storable in PostgreSQL: removes NUL characters and replaces halves of surrogate pairs. Most values
 * are returned unchanged.
 * @throws TypeError when it is no JSON value, such as a bigint or a cyclic object.
 */
export function storable<T>(value: T): T {
  if (value === null || value === undefined) return value;
  if (typeof value === "string") return clean(value) as T;
  // The pattern also matches an escaped backslash before "u0000"; `cleanAll` does not change such a text.
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError(`a ${typeof value} is no JSON value`);
  return SUSPECT.test(json) ? (cleanAll(JSON.parse(json)) as T) : value;
}

/** The size of a value as JSON, in bytes. */
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
