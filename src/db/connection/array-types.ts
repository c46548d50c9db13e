import type postgres from "postgres";

/** The array types that queries send, by PostgreSQL's fixed oids. */
const ARRAY_OIDS = {
  integers: 1007,
  texts: 1009,
  floats: 1022,
  uuids: 2951,
} as const;

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
 * Options that let postgres.js send arrays without asking each new connection for the server's types: nobody waits for
 * that query of its own, so a connection lost meanwhile is an unhandled rejection, which ends the process. Arrays in
 * results come as PostgreSQL's text: select JSON instead.
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
