import { Worker as Thread } from "node:worker_threads";

/** Starts a thread on a module beside this one; `name` is its file name without the extension. */
export function openThread(name: string, workerData: unknown): Thread {
  if (!import.meta.url.endsWith(".ts"))
    return new Thread(new URL(`${name}.js`, import.meta.url), { workerData, resourceLimits: LIMITS });
  // Sources (development and tests) need a loader, which a thread does not inherit from its process.
  const module = JSON.stringify(new URL(`${name}.ts`, import.meta.url).href);
  const start = `import("tsx/esm/api").then(({ register }) => { register(); return import(${module}); })`;
  return new Thread(start, { eval: true, workerData, execArgv: ["--conditions=source"] });
}

/** A small young generation: an idle thread must not keep its garbage resident. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };
