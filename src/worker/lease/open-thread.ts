import { Worker as Thread } from "node:worker_threads";

/** A small young generation: an idle thread must not keep its garbage in memory. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };

/** Starts the heartbeat thread. */
export function openThread(workerData: unknown): Thread {
  if (!import.meta.url.endsWith(".ts"))
    return new Thread(new URL("heartbeat-thread.js", import.meta.url), { workerData, resourceLimits: LIMITS });
  // TypeScript sources need a loader, which a thread does not inherit from its process.
  const module = JSON.stringify(new URL("heartbeat-thread.ts", import.meta.url).href);
  const start = `import("tsx/esm/api").then(({ register }) => { register(); return import(${module}); })`;
  return new Thread(start, { eval: true, workerData, execArgv: ["--conditions=source"] });
}
