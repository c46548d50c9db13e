import type { Executor, Tx } from "#db";
import type { GraphRow } from "#shared/contracts";
import { InvalidJobError } from "./errors.ts";
import { iso } from "./read/job-view.ts";
import { isOffering } from "./fleet/register-worker.ts";

const PREFIX = "graph:";

/** The job type that runs a graph of one's own. */
export function graphJobType(name: string): string {
  return `${PREFIX}${name}`;
}

/**
 * The graphs that one can chat with besides the built-in one, by name; with why not, for those that no worker could
 * load. Of workers that offer different ones under a name, one that can run it counts, the newest of them.
 */
export async function listGraphs(sql: Executor): Promise<GraphRow[]> {
  const rows = await sql<{ name: string; description: string | null; error: string | null; started_at: string }[]>`
    select distinct on (name) substr(offer."jobType", ${PREFIX.length + 1}::int) as name, description, error, started_at
    from workers cross join lateral
      jsonb_to_recordset(workers.offers) as offer ("jobType" text, description text, error text)
    where starts_with(offer."jobType", ${PREFIX}) and ${isOffering(sql)}
    order by name, error is not null, started_at desc`;
  return rows.map(({ name, description, error, started_at }) => ({
    name,
    description,
    error,
    registeredAt: iso(started_at),
  }));
}

/**
 * Checks that one can chat with a graph.
 * @throws InvalidJobError when no worker offers it, or none could load it.
 */
export async function checkGraph(tx: Tx, name: string): Promise<void> {
  const graphs = await listGraphs(tx);
  const found = graphs.find((graph) => graph.name === name);
  const usable = graphs.filter((graph) => graph.error === null).map((graph) => graph.name);
  const known = usable.length > 0 ? `there are ${usable.join(", ")}` : "no worker offers any";
  if (!found) throw new InvalidJobError(`graph ${JSON.stringify(name)} is unknown: ${known}`);
  if (found.error !== null) throw new InvalidJobError(`graph ${JSON.stringify(name)} cannot be run: ${found.error}`);
}
