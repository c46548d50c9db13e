/** A process test runs this file. It makes postgres.js write to a closed connection, as can happen when a server goes away. */
import postgres from "postgres";
import { Database } from "#db";

const url = process.argv[2] ?? "";
const db = new Database({ url, maxConnections: 1 });
const driver = postgres(url, { max: 1 });
const reserved = await driver.reserve();
const [row] = await reserved<{ pid: number }[]>`select pg_backend_pid() as pid`;
await db.call(async (sql) => sql`select pg_terminate_backend(${row?.pid ?? 0})`);
// The driver notices the closed socket within a few turns of the event loop.
await new Promise((resolve) => setTimeout(resolve, 200));
void reserved`select 1`.catch(() => undefined);
await new Promise((resolve) => setTimeout(resolve, 200));
const [answer] = await db.call(async (sql) => sql<{ alive: boolean }[]>`select true as alive`);
process.stdout.write(`${answer?.alive}\n`);
process.exit(0);
