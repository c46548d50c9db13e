import type { PostgresJsTransaction } from "drizzle-orm/postgres-js";
import type { Tx } from "./connection/client.ts";

/**
 * The postgres.js transaction beneath a Drizzle one, to hand to the verbs of the queue: what they store then commits or
 * rolls back with the rest of it.
 * @throws TypeError when it is no transaction of drizzle-orm/postgres-js.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- any schema will do
export function fromDrizzle(tx: Pick<PostgresJsTransaction<any, any>, "rollback">): Tx {
  const session: unknown = "session" in tx ? tx.session : undefined;
  const client: unknown =
    typeof session === "object" && session !== null && "client" in session ? session.client : undefined;
  if (typeof client !== "function" || !("savepoint" in client)) {
    throw new TypeError("fromDrizzle takes the transaction that db.transaction of drizzle-orm/postgres-js hands out");
  }
  return client as unknown as Tx;
}
