/** The child process in which the quarantine tests run a job alone. */
import { pino } from "pino";
import { Database } from "#db";
import { serveQuarantine } from "#worker";
import { suspectHandlers } from "./suspects.ts";

await serveQuarantine(async () => {
  // oxlint-disable-next-line node/no-process-env -- no setting of the product: the test passes it
  const db = new Database({ url: process.env["SUSPECTS_DATABASE_URL"] ?? "", maxConnections: 2 });
  return {
    db,
    log: pino({ level: "silent" }),
    handlers: suspectHandlers(db),
    retry: { baseMs: 0, capMs: 0 },
    defaultTimeoutMs: 60_000,
    leaseMs: 30_000,
    close: () => db.close(),
  };
});
