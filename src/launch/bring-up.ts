import { pino } from "pino";
import type { Logger } from "pino";
import { migrateCheckpoints } from "#checkpoint";
import { migrate, startEmbeddedPostgres } from "#db";
import { loadEnv, SettingsError } from "#env";
import type { Settings } from "#env";
import { checkPort, freePort } from "./check-port.ts";
import { keepDatabase } from "./keep-database.ts";
import { migrateGiven } from "./migrate-given.ts";
import { reportFailure } from "./report-failure.ts";
import { Shutdown } from "./shutdown.ts";
import { SupervisedProcess } from "./supervised-process.ts";

/** A process is killed this long after the end of its own grace period. */
const EXTRA_GRACE_MS = 5_000;
/** After a second signal, the embedded server is killed when it has not stopped within this time. */
const HURRIED_STOP_MS = 500;

/** The differences between `npm start` and `npm run dev`. */
export interface Plan {
  /** The main module of a process. */
  locate: (name: "server" | "worker") => URL;
  /** The flags of Node.js for a process. */
  execArgv: (name: "server" | "worker") => string[];
  /** Serves the page and proxies the API's paths to `apiPort`. Without it, the API serves everything. */
  openFront?: (options: { settings: Settings; apiPort: number }) => Promise<{ close: () => Promise<void> }>;
  /** Watches the sources, and calls back with the changed paths. */
  watch?: (settings: Settings, onChange: (paths: readonly string[]) => void) => { close: () => Promise<void> };
}

/** Brings up database, API and workers. Ends this process with one line on standard error when that is impossible. */
export async function bringUp(plan: Plan): Promise<void> {
  try {
    const settings = loadEnv();
    const log = pino({ level: settings.LOG_LEVEL, base: { process: "launcher" } }, pino.destination(2));
    const shutdown = new Shutdown(log);
    await shutdown.during(start(plan, { settings, log, shutdown })).catch(async (error: unknown) => {
      if (shutdown.signal.aborted) return;
      report(error);
      await shutdown.begin(1);
    });
  } catch (error) {
    report(error);
    process.exit(1);
  }
}

const report = (error: unknown) => reportFailure(error, "Threadmill could not start");

interface Run {
  settings: Settings;
  log: Logger;
  shutdown: Shutdown;
}

async function start(plan: Plan, { settings, log, shutdown }: Run): Promise<void> {
  await checkPort(settings);
  const url = await openDatabase({ settings, log, shutdown });
  shutdown.signal.throwIfAborted();
  const apiPort = plan.openFront ? await freePort(settings.HOST) : settings.PORT;
  const env = { ...process.env, DATABASE_URL: url, PORT: String(apiPort) };
  const onMisconfigured = () => void shutdown.begin(1);
  const supervise = (name: string, module: "server" | "worker") =>
    new SupervisedProcess({
      name,
      module: plan.locate(module),
      execArgv: plan.execArgv(module),
      env,
      log,
      onMisconfigured,
    });
  const processes = [
    supervise("api", "server"),
    ...Array.from({ length: settings.WORKERS }, (_, index) => supervise(`worker ${index + 1}`, "worker")),
  ];
  shutdown.add(async (manner) => {
    const graceMs = manner === "drain" ? settings.SHUTDOWN_GRACE_MS + EXTRA_GRACE_MS : 0;
    await Promise.all(processes.map(async (one) => one.stop(graceMs)));
  });
  const front = await plan.openFront?.({ settings, apiPort });
  if (front) shutdown.add(async () => front.close());
  const watcher = plan.watch?.(settings, (paths) => {
    log.info({ paths }, "the sources have changed; restarting the processes");
    for (const one of processes) one.restart();
  });
  if (watcher) shutdown.add(async () => watcher.close());
  void announce(settings, { processes, shutdown });
}

/** Migrates the given database, or starts and keeps an embedded server and migrates its database. Returns the URL. */
async function openDatabase({ settings, log, shutdown }: Run): Promise<string> {
  const { DATABASE_URL, DATABASE_LISTEN_URL, DATA_DIR } = settings;
  if (DATABASE_URL !== undefined) {
    await migrateGiven(DATABASE_URL, settings);
    return DATABASE_URL;
  }
  if (DATABASE_LISTEN_URL !== undefined)
    throw new SettingsError("DATABASE_LISTEN_URL is set without DATABASE_URL: set both, or neither");
  const database = await startEmbeddedPostgres({ dataDir: DATA_DIR });
  shutdown.add(async (manner) => database.stop(manner === "drain" ? undefined : HURRIED_STOP_MS));
  shutdown.signal.throwIfAborted();
  await migrate({ url: database.url, setting: "DATA_DIR", also: migrateCheckpoints });
  void keepDatabase(database, { log, signal: shutdown.signal });
  return database.url;
}

async function announce(
  settings: Settings,
  { processes, shutdown }: { processes: SupervisedProcess[]; shutdown: Shutdown },
): Promise<void> {
  await Promise.all(processes.map(async (one) => one.ready));
  if (shutdown.signal.aborted) return;
  const host = settings.HOST === "::1" ? "[::1]" : settings.HOST;
  process.stdout.write(`Threadmill ready at http://${host}:${settings.PORT}\n`);
}
