import type { Executor, Tx } from "#db";
import type { GraphRow } from "#shared/contracts";
import { InvalidJobError } from "./errors.ts";
import { iso } from "./job-view.ts";

/** A graph that a worker offers, or tried to. */
export interface OfferedGraph {
  name: string;
  description: string | null;
  /** Why it cannot be run; null when it can. */
  error: string | null;
}

/** The job type that runs a registered graph. */
export function graphJobType(name: string): string {
  return `graph:${name}`;
}

/** Registers the graphs that a worker has read at its start. */
export async function registerGraphs(sql: Executor, graphs: readonly OfferedGraph[]): Promise<void> {
  if (graphs.length === 0) return;
  await sql`
    insert into graphs (name, description, error)
    select name, description, error from jsonb_to_recordset(${JSON.stringify(graphs)}::text::jsonb) as offered (name text, description text, error text)
    on conflict (name) do update set description = excluded.description, error = excluded.error, registered_at = clock_timestamp()`;
}

/** The graphs that one can chat with besides the built-in one, by name; with why not, for those that are broken. */
export async function listGraphs(sql: Executor): Promise<GraphRow[]> {
  const rows = await sql<{ name: string; description: string | null; error: string | null; registered_at: string }[]>`
    select name, description, error, registered_at from graphs order by name`;
  return rows.map(({ name, description, error, registered_at }) => ({
    name,
    description,
    error,
    registeredAt: iso(registered_at),
  }));
}

/**
 * Checks that one can chat with a graph.
 * @throws InvalidJobError when no worker has registered it, or it is broken.
 */
export async function checkGraph(tx: Tx, name: string): Promise<void> {
  const graphs = await listGraphs(tx);
  const found = graphs.find((graph) => graph.name === name);
  const usable = graphs.filter((graph) => graph.error === null).map((graph) => graph.name);
  const known = usable.length > 0 ? `there are ${usable.join(", ")}` : "no worker has registered any";
  if (!found) throw new InvalidJobError(`graph ${JSON.stringify(name)} is unknown: ${known}`);
  if (found.error !== null) throw new InvalidJobError(`graph ${JSON.stringify(name)} cannot be run: ${found.error}`);
}
