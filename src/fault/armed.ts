import { appendFileSync } from "node:fs";
import { z } from "zod";

const planSchema = z.object({
  /** How likely a hit ends the process, 0 to 1. */
  rate: z.number().min(0).max(1),
  /** Where each death is noted, a name a line. */
  log: z.string(),
});

const plan = readPlan();
/** The points that this process has come by. */
const passed = new Set<string>();
/** How much likelier a process ends where it passes for the first time: else the points that are rarely passed never end one. */
const FIRST_TIMES = 5;

function readPlan(): z.infer<typeof planSchema> | null {
  // oxlint-disable-next-line node/no-process-env -- not a setting of the product: only crash tests run this file
  const given = process.env["FAULT_PLAN"];
  return given === undefined ? null : planSchema.parse(JSON.parse(given));
}

/** Ends this process as `kill -9` does, now and then. */
export function faultPoint(name: string): void {
  if (plan === null) return;
  const rate = passed.has(name) ? plan.rate : plan.rate * FIRST_TIMES;
  passed.add(name);
  if (Math.random() >= rate) return;
  appendFileSync(plan.log, `${name}\n`);
  process.kill(process.pid, "SIGKILL");
}
