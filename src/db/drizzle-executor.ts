import type { PostgresJsTransaction } from "drizzle-orm/postgres-js";
import type { Tx } from "./connection/client.ts";

/**
 * The postgres.js transaction of a Drizzle transaction. The queue's verbs accept it, and their writes commit or roll back
 * with the Drizzle transaction.
 * @throws TypeError when the argument is not a transaction of drizzle-orm/postgres-js.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- any schema will do
export function fromDrizzle(tx: Pick<PostgresJsTransaction<any, any>, "rollback">): Tx {
  const session: unknown = "session" in tx ? tx.session : undefined;
  const client: unknown =
    typeof session === "object" && session !== null && "client" in session ? session.client : undefined;
  if (typeof client !== "function" || !("savepoint" in client)) {
    throw new TypeError("fromDrizzle needs the argument of db.transaction's callback in drizzle-orm/postgres-js");
  }
  return client as unknown as Tx;
}
