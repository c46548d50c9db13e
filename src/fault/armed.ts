import { appendFileSync } from "node:fs";
import { z } from "zod";
import { FAULT_POINTS } from "./points.ts";
import type { FaultPoint } from "./points.ts";

const planSchema = z.object({
  /** The process ends at any of these points. */
  points: z.array(z.enum(FAULT_POINTS)),
  /** CPU milliseconds that the process may use first: unlike elapsed time, they ensure progress on a busy machine. */
  afterCpuMs: z.number().min(0),
  /** A file to which each death appends the point's name. */
  log: z.string(),
});

/** Read at the first point, not at start: a warm spare gets its plan when it takes over. */
let plan: z.infer<typeof planSchema> | null | undefined;
let firstAt: NodeJS.CpuUsage | undefined;

function readPlan(): z.infer<typeof planSchema> | null {
  // oxlint-disable-next-line node/no-process-env -- not a setting of the product: only crash tests run this file
  const given = process.env["FAULT_PLAN"];
  return given === undefined ? null : planSchema.parse(JSON.parse(given));
}

/** Kills this process like `kill -9` when the plan names the point and `afterCpuMs` is used up. */
export function faultPoint(name: FaultPoint): void {
  if (plan === undefined) plan = readPlan();
  if (plan === null) return;
  firstAt ??= process.cpuUsage();
  if (!plan.points.includes(name)) return;
  const { user, system } = process.cpuUsage(firstAt);
  if ((user + system) / 1_000 < plan.afterCpuMs) return;
  appendFileSync(plan.log, `${name}\n`);
  process.kill(process.pid, "SIGKILL");
}
