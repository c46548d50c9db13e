/** The process in which a chaos worker runs one job alone; its fault points are armed by its worker's `FAULT_PLAN_ALONE`. */
import { pino } from "pino";
import { serveQuarantine } from "#worker";
import { openParts } from "./open-parts.ts";

// Before the first fault point, which reads it.
process.env["FAULT_PLAN"] = process.env["FAULT_PLAN_ALONE"];
await serveQuarantine(async ({ workerId }) => {
  const parts = openParts(workerId);
  return { ...parts, log: pino({ level: "silent" }), close: () => parts.db.close() };
});
