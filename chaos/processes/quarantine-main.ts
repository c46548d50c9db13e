/** The process in which a chaos worker runs one job in quarantine. `FAULT_PLAN_QUARANTINE` arms its fault points. */
import { pino } from "pino";
import { serveQuarantine } from "#worker";
import { openParts } from "./open-parts.ts";
import { keepRarest } from "./rarest-points.ts";
import type { FaultPlan } from "./rarest-points.ts";

// Set before the first fault point reads it. The plan dates from the start of the worker, so it is narrowed here.
const { FAULT_PLAN_QUARANTINE: plan } = process.env;
if (plan !== undefined) process.env["FAULT_PLAN"] = JSON.stringify(keepRarest(JSON.parse(plan) as FaultPlan));
await serveQuarantine(async ({ workerId }) => {
  const parts = openParts(workerId);
  return { ...parts, log: pino({ level: "silent" }), close: () => parts.db.close() };
});
