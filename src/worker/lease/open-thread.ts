import { Worker as Thread } from "node:worker_threads";

/** Starts a thread on a module that lies beside this one; `name` is its path without the ending. */
export function openThread(name: string, workerData: unknown): Thread {
  if (!import.meta.url.endsWith(".ts"))
    return new Thread(new URL(`${name}.js`, import.meta.url), { workerData, resourceLimits: LIMITS });
  // From sources (development and tests): a thread does not inherit its process's loader, so it registers its own.
  const module = JSON.stringify(new URL(`${name}.ts`, import.meta.url).href);
  const start = `import("tsx/esm/api").then(({ register }) => { register(); return import(${module}); })`;
  return new Thread(start, { eval: true, workerData, execArgv: ["--conditions=source"] });
}

/** Such a thread does little: what it leaves behind is to be collected soon, not to stay resident. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };
