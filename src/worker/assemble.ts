import { graphJobType } from "#conversation";
import type { Offer } from "#queue/fleet";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Logger } from "pino";
import { Database } from "#db";
import { BAD_SETTINGS_EXIT_CODE, fillEnv, SettingsError } from "#env";
import type { Settings } from "#env";
import { loadGraphs, openModel, readGraphEnv } from "#graph";
import type { ChatModel } from "#graph";
import { openTracer } from "#tracing";
import { exportThread } from "./jobs/export-thread.ts";
import { graphJob } from "./jobs/graph-job.ts";
import { mlWorkflow } from "./jobs/ml-workflow.ts";
import type { TurnJobOptions } from "./jobs/turn-job.ts";
import { openLog } from "./open-log.ts";
import { describeError } from "./run/describe-error.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** The parts that a worker process and a quarantine process have in common. */
export type Assembly = Pick<
  WorkerOptions,
  "connection" | "db" | "log" | "tracer" | "handlers" | "leaseMs" | "retry" | "defaultTimeoutMs"
> & { broken: readonly Offer[] };

export interface AssembleOptions {
  workerId: string;
  /** Shown in log lines and in `pg_stat_activity`. */
  process: "worker" | "quarantine";
  maxConnections: number;
}

/**
 * Opens the database, the log, the tracer and a handler for each job type.
 * @throws SettingsError when a setting cannot work: correct the setting that the message names.
 */
export async function assemble(settings: Settings, options: AssembleOptions): Promise<Assembly> {
  const { workerId, process: name, maxConnections } = options;
  const log = openLog(settings.LOG_LEVEL, { process: name, workerId });
  const url = settings.DATABASE_URL;
  if (url === undefined)
    throw new SettingsError(
      "DATABASE_URL must be set for a worker that runs by itself; npm start brings its own database",
    );
  const serviceName = "threadmill-worker";
  const tracer = await openTracer({ settings, serviceName, instanceId: workerId, describe: describeError, log });
  const connection = { url, prepare: settings.DATABASE_PREPARE === "true" };
  const applicationName = `threadmill-${name}`;
  const db = new Database({ ...connection, maxConnections, avoidTableScans: true, applicationName });
  const turns: TurnJobOptions = {
    db,
    price: settings.MODEL && settings.MODEL_PRICE ? { model: settings.MODEL, ...settings.MODEL_PRICE } : null,
    tracer,
  };
  const { graphs, broken } = await openGraphs(log, settings.LANGGRAPH_CONFIG);
  return {
    connection,
    db,
    log,
    tracer,
    handlers: [
      exportThread(db),
      mlWorkflow({ ...turns, model: await chooseModel(settings) }),
      ...graphs.map((graph) => graphJob(graph, turns)),
    ],
    broken: broken.map(({ name: graph, error }) => ({ jobType: graphJobType(graph), description: null, error })),
    leaseMs: settings.LEASE_MS,
    retry: { baseMs: settings.RETRY_BASE_MS, capMs: settings.RETRY_CAP_MS },
    defaultTimeoutMs: settings.JOB_TIMEOUT_MS,
  };
}

/** Loads the users' graphs, and logs one line for each graph that fails to load. */
async function openGraphs(log: Logger, file: string | undefined): ReturnType<typeof loadGraphs> {
  const path = resolve(file ?? "langgraph.json");
  if (file === undefined && !existsSync(path)) return { graphs: [], broken: [] };
  try {
    fillEnv(await readGraphEnv(path));
    const opened = await loadGraphs(path);
    for (const { name, error } of opened.broken) log.error({ graph: name }, `graph ${name} cannot be used: ${error}`);
    return opened;
  } catch (error) {
    throw new SettingsError(`LANGGRAPH_CONFIG: ${describeError(error).message}`, { cause: error });
  }
}

/** Opens the model that MODEL names; null without MODEL, for the offline engine. */
async function chooseModel(settings: Settings): Promise<ChatModel | null> {
  if (settings.MODEL === undefined) return null;
  return openModel(settings.MODEL, {
    openaiApiKey: settings.OPENAI_API_KEY,
    openaiBaseUrl: settings.OPENAI_BASE_URL,
    anthropicApiKey: settings.ANTHROPIC_API_KEY,
    anthropicBaseUrl: settings.ANTHROPIC_BASE_URL,
    ollamaBaseUrl: settings.OLLAMA_BASE_URL,
  });
}

/** Runs a process's main function. Prints a failure as one line, and exits with a separate code for a wrong setting. */
export async function orExit(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const { name, message } = describeError(error);
    process.stderr.write(
      `${error instanceof SettingsError ? message : `The worker could not start: ${name}: ${message}`}\n`,
    );
    process.exit(error instanceof SettingsError ? BAD_SETTINGS_EXIT_CODE : 1);
  }
}
