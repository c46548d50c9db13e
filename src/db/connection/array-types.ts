import type postgres from "postgres";

/** PostgreSQL's fixed oids of the array types that queries send. */
const ARRAY_OIDS = { integers: 1007, texts: 1009, floats: 1022, uuids: 2951 } as const;

function toLiteral(items: readonly (string | number | null)[]): string {
  return `{${items.map(toElement).join(",")}}`;
}

function toElement(item: string | number | null): string {
  if (item === null) return "null";
  if (typeof item === "number") return String(item);
  const plain = !item.includes('"') && !item.includes("\\");
  return plain ? `"${item}"` : `"${item.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
}

/**
 * Options with which postgres.js sends arrays without querying the server's types on each new connection. No caller waits
 * for that query: if its connection were lost, the unhandled rejection would end the process.
 * Arrays in results come as PostgreSQL's text: select JSON instead.
 */
export const ARRAY_TYPES = {
  fetch_types: false,
  types: Object.fromEntries(
    Object.entries(ARRAY_OIDS).map(([name, oid]) => [
      name,
      { to: oid, from: [oid], serialize: toLiteral, parse: (text: string) => text } satisfies postgres.PostgresType,
    ]),
  ),
};
