import { pino } from "pino";
import type { Logger } from "pino";
import { DatabaseSetupError, migrate, startEmbeddedPostgres } from "#db";
import { loadEnv, SettingsError } from "#env";
import type { Settings } from "#env";
import { migrateCheckpoints } from "#checkpoint";
import { checkPort, freePort } from "./check-port.ts";
import { keepDatabase } from "./keep-database.ts";
import { Shutdown } from "./shutdown.ts";
import { supervise } from "./supervise.ts";
import type { Supervised } from "./supervise.ts";

const EXTRA_GRACE_MS = 5_000;
const HURRIED_STOP_MS = 500;

/** What differs between `npm start` and `npm run dev`. */
export interface Plan {
  /** Where a process's module is, by its path without an ending, such as `server/main`. */
  locate: (path: string) => URL;
  /** What Node.js is given to run it. */
  execArgv: (path: "server/main" | "worker/main") => string[];
  /** Serves the page itself and hands the API's paths on; without it, the API serves everything. */
  openFront?: (options: { settings: Settings; apiPort: number }) => Promise<{ close: () => Promise<void> }>;
  /** Calls back when the processes should start anew. */
  watch?: (settings: Settings, onChange: (paths: readonly string[]) => void) => { close: () => Promise<void> };
}

/** Brings up database, API, workers, and ends this process with one clear line when that is impossible. */
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
  const processes = startProcesses(plan, {
    env: { ...process.env, DATABASE_URL: url, PORT: String(apiPort) },
    workers: settings.WORKERS,
    log,
    onMisconfigured: () => void shutdown.begin(1),
  });
  shutdown.add(async (manner) => {
    const graceMs = manner === "drain" ? settings.SHUTDOWN_GRACE_MS + EXTRA_GRACE_MS : 0;
    await Promise.all(processes.map(async (one) => one.stop(graceMs)));
  });
  const front = await plan.openFront?.({ settings, apiPort });
  if (front) shutdown.add(async () => front.close());
  const watcher = plan.watch?.(settings, (paths) => {
    log.info({ paths }, "the sources have changed; starting the processes anew");
    for (const one of processes) one.restart();
  });
  if (watcher) shutdown.add(async () => watcher.close());
  void announce(settings, { processes, shutdown });
}

/** The database's URL: the one given, or that of an embedded server that is kept running; migrated in either case. */
async function openDatabase({ settings, log, shutdown }: Run): Promise<string> {
  const { DATABASE_URL, DATABASE_LISTEN_URL, DATA_DIR } = settings;
  if (DATABASE_URL === undefined) {
    if (DATABASE_LISTEN_URL !== undefined)
      throw new SettingsError("DATABASE_LISTEN_URL is set without DATABASE_URL: set both, or neither");
    const database = await startEmbeddedPostgres({ dataDir: DATA_DIR });
    shutdown.add(async (manner) => database.stop(manner === "drain" ? undefined : HURRIED_STOP_MS));
    shutdown.signal.throwIfAborted();
    await migrate({ url: database.url, setting: "DATA_DIR", also: migrateCheckpoints });
    void keepDatabase(database, { log, signal: shutdown.signal });
    return database.url;
  }
  await migrate({
    url: DATABASE_LISTEN_URL ?? DATABASE_URL,
    setting: DATABASE_LISTEN_URL === undefined ? "DATABASE_URL" : "DATABASE_LISTEN_URL",
    also: migrateCheckpoints,
  });
  return DATABASE_URL;
}

function startProcesses(
  plan: Plan,
  options: { env: NodeJS.ProcessEnv; workers: number; log: Logger; onMisconfigured: () => void },
): Supervised[] {
  const { env, workers, log, onMisconfigured } = options;
  const run = (name: string, path: "server/main" | "worker/main") =>
    supervise({ name, module: plan.locate(path), execArgv: plan.execArgv(path), env, log, onMisconfigured });
  return [
    run("api", "server/main"),
    ...Array.from({ length: workers }, (_, index) => run(`worker ${index + 1}`, "worker/main")),
  ];
}

async function announce(
  settings: Settings,
  { processes, shutdown }: { processes: Supervised[]; shutdown: Shutdown },
): Promise<void> {
  await Promise.all(processes.map(async (one) => one.ready));
  if (shutdown.signal.aborted) return;
  const host = settings.HOST === "::1" ? "[::1]" : settings.HOST;
  process.stdout.write(`Threadmill ready at http://${host}:${settings.PORT}\n`);
}

function report(error: unknown): void {
  const expected = error instanceof SettingsError || error instanceof DatabaseSetupError;
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${expected ? text : `Threadmill could not start: ${text}`}\n`);
}
