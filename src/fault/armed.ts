import { appendFileSync } from "node:fs";
import { z } from "zod";

const planSchema = z.object({
  /** How likely a hit ends the process, 0 to 1. */
  rate: z.number().min(0).max(1),
  /** Where each death is noted, a name a line. */
  log: z.string(),
});

const plan = readPlan();

function readPlan(): z.infer<typeof planSchema> | null {
  // oxlint-disable-next-line node/no-process-env -- not a setting of the product: only crash tests run this file
  const given = process.env["FAULT_PLAN"];
  return given === undefined ? null : planSchema.parse(JSON.parse(given));
}

/** Ends this process as `kill -9` does, now and then. */
export function faultPoint(name: string): void {
  if (plan === null || Math.random() >= plan.rate) return;
  appendFileSync(plan.log, `${name}\n`);
  process.kill(process.pid, "SIGKILL");
}
