import type { Executor, Tx } from "#db";
import { InvalidJobError } from "#queue";
import { listOffers } from "#queue/fleet";
import type { GraphRow } from "#shared/contracts";

const PREFIX = "graph:";

/** The job type that runs a registered graph. */
export function graphJobType(name: string): string {
  return `${PREFIX}${name}`;
}

/** The registered graphs by name, each with the reason if no worker could load it. */
export async function listGraphs(sql: Executor): Promise<GraphRow[]> {
  const offers = await listOffers(sql);
  return offers
    .filter(({ jobType }) => jobType.startsWith(PREFIX))
    .map(({ jobType, description, error, startedAt }) => ({
      name: jobType.slice(PREFIX.length),
      description,
      error,
      registeredAt: startedAt,
    }));
}

/**
 * Checks that a worker can run a graph.
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
