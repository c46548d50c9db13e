/** The process in which a chaos worker runs one job alone; its fault points are armed by its worker's `FAULT_PLAN_ALONE`. */
import { pino } from "pino";
import { serveQuarantine } from "#worker";
import { openParts } from "./open-parts.ts";
import { onlyRarest } from "./rarest-points.ts";
import type { FaultPlan } from "./rarest-points.ts";

// Before the first fault point, which reads it. The plan is as old as the worker.
const { FAULT_PLAN_ALONE: plan } = process.env;
if (plan !== undefined) process.env["FAULT_PLAN"] = JSON.stringify(onlyRarest(JSON.parse(plan) as FaultPlan));
await serveQuarantine(async ({ workerId }) => {
  const parts = openParts(workerId);
  return { ...parts, log: pino({ level: "silent" }), close: () => parts.db.close() };
});
