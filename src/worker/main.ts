import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { pino } from "pino";
import type { Logger } from "pino";
import { Database, listen } from "#db";
import { fillEnv, loadEnv, SettingsError } from "#env";
import type { Settings } from "#env";
import { pruneCheckpoints } from "#checkpoint";
import { loadGraphs, openModel, readGraphEnv } from "#graph";
import type { BrokenGraph, ChatModel, LoadedGraph } from "#graph";
import { CANCEL_CHANNEL, graphJobType, READY_CHANNEL } from "#queue";
import { openTracer } from "#tracing";
import { describeError } from "./describe-error.ts";
import { exportThread } from "./export-thread.ts";
import { graphJob } from "./graph-job.ts";
import { mlWorkflow } from "./ml-workflow.ts";
import { saverOpener } from "./open-saver.ts";
import type { TurnJobOptions } from "./turn-job.ts";
import { Worker } from "./worker.ts";

const BAD_CONFIGURATION = 78;
const VERSION = "0.1.0";

async function main(settings: Settings): Promise<void> {
  const workerId = `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const log = pino({ level: settings.LOG_LEVEL, base: { process: "worker", workerId } });
  const url = settings.DATABASE_URL;
  if (url === undefined)
    throw new SettingsError(
      "DATABASE_URL must be set for a worker that runs by itself; npm start brings its own database",
    );
  const tracer = await openTracer({
    settings,
    serviceName: "threadmill-worker",
    instanceId: workerId,
    describe: describeError,
    log,
  });
  const connection = { url, prepare: settings.DATABASE_PREPARE === "true" };
  const db = new Database({
    ...connection,
    maxConnections: Math.min(settings.WORKER_CONCURRENCY + 2, 20),
    avoidTableScans: true,
    applicationName: "threadmill-worker",
  });
  const turns: TurnJobOptions = {
    db,
    openSaver: saverOpener(db),
    price: settings.MODEL && settings.MODEL_PRICE ? { model: settings.MODEL, ...settings.MODEL_PRICE } : null,
    tracer,
  };
  const { graphs, broken } = await openGraphs(log, settings.LANGGRAPH_CONFIG);
  const worker = new Worker({
    db,
    connection,
    log,
    handlers: [
      exportThread(db),
      mlWorkflow({ ...turns, model: await chooseModel(settings) }),
      ...graphs.map((graph) => graphJob(graph, turns)),
    ],
    broken: broken.map(({ name, error }) => ({ jobType: graphJobType(name), description: null, error })),
    identity: { workerId, host: hostname(), pid: process.pid, version: VERSION },
    concurrency: settings.WORKER_CONCURRENCY,
    leaseMs: settings.LEASE_MS,
    heartbeatMs: settings.HEARTBEAT_MS,
    poll: { minMs: settings.POLL_MIN_MS, maxMs: settings.POLL_MAX_MS },
    retry: { baseMs: settings.RETRY_BASE_MS, capMs: settings.RETRY_CAP_MS },
    defaultTimeoutMs: settings.JOB_TIMEOUT_MS,
    retention: { completedMs: settings.RETENTION_COMPLETED_MS, failedMs: settings.RETENTION_FAILED_MS },
    forgetThreads: pruneCheckpoints,
    tracer,
  });
  await worker.start();
  const listener = listenFor(worker, settings.DATABASE_LISTEN_URL ?? url);
  log.info({ concurrency: settings.WORKER_CONCURRENCY, model: settings.MODEL ?? "offline" }, "worker ready");
  process.send?.({ type: "ready" });
  leaveOnSignals(log, async () => {
    await worker.stop(settings.SHUTDOWN_GRACE_MS);
    await listener.stop();
    await Promise.all([db.close(), tracer?.close()]);
  });
}

function listenFor(worker: Worker, url: string) {
  return listen({
    url,
    channels: {
      [READY_CHANNEL]: () => worker.wake(),
      // A notice that was missed is made up for by the next heartbeat, which tells of it again.
      [CANCEL_CHANNEL]: (jobId) => jobId !== undefined && worker.cancel(jobId),
    },
  });
}

/** Lets the worker drain at the first signal, leaves at once at the second. */
function leaveOnSignals(log: Logger, drain: () => Promise<void>): void {
  let leaving = false;
  const leave = (signal: string) => {
    if (leaving) {
      log.warn({ signal }, "second signal: leaving at once; leases cover what runs");
      process.exit(1);
    }
    leaving = true;
    log.info({ signal }, "draining");
    void (async () => {
      await drain();
      log.info("worker stopped");
      process.exit(0);
    })();
  };
  process.on("SIGTERM", () => leave("SIGTERM"));
  process.on("SIGINT", () => leave("SIGINT"));
  // The launcher is gone: nobody is left to stop this process.
  process.on("disconnect", () => leave("disconnect"));
}

interface OpenedGraphs {
  graphs: readonly LoadedGraph[];
  broken: readonly BrokenGraph[];
}

/** Loads the graphs that can be chatted with; what is wrong with one is one line of the log. */
async function openGraphs(log: Logger, file: string | undefined): Promise<OpenedGraphs> {
  const path = resolve(file ?? "langgraph.json");
  if (file === undefined && !existsSync(path)) return { graphs: [], broken: [] };
  const opened = await readGraphEnv(path)
    .then(async (values) => {
      fillEnv(values);
      return loadGraphs(path);
    })
    .catch((error: unknown) => {
      throw new SettingsError(`LANGGRAPH_CONFIG: ${describeError(error).message}`, { cause: error });
    });
  for (const { name, error } of opened.broken) log.error({ graph: name }, `graph ${name} cannot be used: ${error}`);
  return opened;
}

/** The model that MODEL names; null runs the built-in offline engine. */
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

try {
  await main(loadEnv());
} catch (error) {
  const { name, message } = describeError(error);
  process.stderr.write(
    `${error instanceof SettingsError ? message : `The worker could not start: ${name}: ${message}`}\n`,
  );
  process.exit(error instanceof SettingsError ? BAD_CONFIGURATION : 1);
}
