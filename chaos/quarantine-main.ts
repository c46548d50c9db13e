/** The process in which a chaos worker runs one job alone; its fault points are armed as its worker's are. */
import { pino } from "pino";
import { serveQuarantine } from "#worker";
import { openParts } from "./open-parts.ts";

await serveQuarantine(async ({ workerId }) => {
  const parts = openParts(process.env["DATABASE_URL"] ?? "", workerId);
  return { ...parts, log: pino({ level: "silent" }), close: () => parts.db.close() };
});
