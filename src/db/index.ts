/**
 * The database: schema, pool, migrations, the embedded server. It owns every connection to PostgreSQL and the meaning of its
 * faults. It must not know a job's rules. Invariant: no attempt of a call outlives its deadline.
 */
export { Database } from "./connection/client.ts";
export type { Executor, Tx } from "./connection/client.ts";
export { DatabaseSetupError, DatabaseUnavailableError, QueryTimeoutError } from "./errors.ts";
export type { DatabaseFault } from "./errors.ts";
export { Semaphore } from "./connection/semaphore.ts";
export { fromDrizzle } from "./drizzle-executor.ts";
export { startEmbeddedPostgres } from "./embedded/embedded.ts";
export type { EmbeddedPostgres } from "./embedded/embedded.ts";
export { Listener } from "./notices/listener.ts";
export { mayNotifyWithin, notifyAfterCommit } from "./notices/notify.ts";
export { INDEXED_PLANS } from "./connection/session-parameters.ts";
export { migrate } from "./migrate/migrate.ts";
export { send, UNFLUSHED } from "./statement.ts";
export type { Statement } from "./statement.ts";
export { together } from "./together.ts";
export { newId } from "./new-id.ts";
export { checkWritable, proveWrites } from "./prove-writes.ts";
