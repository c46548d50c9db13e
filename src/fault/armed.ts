import { appendFileSync } from "node:fs";
import { z } from "zod";
import { FAULT_POINTS } from "./points.ts";
import type { FaultPoint } from "./points.ts";

const planSchema = z.object({
  /** The points that end the process. */
  points: z.array(z.enum(FAULT_POINTS)),
  /** How long the process works before they do, in milliseconds of a processor: on a busy machine, too, it gets somewhere. */
  afterCpuMs: z.number().min(0),
  /** Where each death is noted, a name a line. */
  log: z.string(),
});

/** Undefined until the first point, so that a process that waits for its turn can be given a plan of that time. */
let plan: z.infer<typeof planSchema> | null | undefined;
let firstAt: NodeJS.CpuUsage | undefined;

function readPlan(): z.infer<typeof planSchema> | null {
  // oxlint-disable-next-line node/no-process-env -- not a setting of the product: only crash tests run this file
  const given = process.env["FAULT_PLAN"];
  return given === undefined ? null : planSchema.parse(JSON.parse(given));
}

/** Ends this process as `kill -9` does, where it comes by one of its points once its time has come. */
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
