import { createServer } from "node:net";
import { pino } from "pino";
import { DatabaseSetupError, migrate, startEmbeddedPostgres } from "#db";
import type { EmbeddedPostgres } from "#db";
import { loadEnv, SettingsError } from "#env";
import type { Settings } from "#env";
import { migrateCheckpoints } from "#checkpoint";
import { supervise } from "./supervise.ts";

const SAME_SIGNAL_MS = 1_000;
const EXTRA_GRACE_MS = 5_000;

async function main(settings: Settings): Promise<void> {
  const log = pino({ level: settings.LOG_LEVEL, base: { process: "launcher" } }, pino.destination(2));
  await checkPort(settings);
  const database =
    settings.DATABASE_URL === undefined ? await startEmbeddedPostgres({ dataDir: settings.DATA_DIR }) : undefined;
  const url = database?.url ?? settings.DATABASE_URL ?? "";
  try {
    await migrate({ url, also: migrateCheckpoints });
  } catch (error) {
    await database?.stop();
    throw error;
  }
  await run(settings, { url, log, database });
}

async function run(
  settings: Settings,
  { url, log, database }: { url: string; log: pino.Logger; database: EmbeddedPostgres | undefined },
): Promise<void> {
  const env = { ...process.env, DATABASE_URL: url };
  const onMisconfigured = () => void stopAll(1);
  const processes = [
    supervise({ name: "api", module: "server/main.js", env, log, onMisconfigured }),
    ...Array.from({ length: settings.WORKERS }, (_, index) =>
      supervise({ name: `worker ${index + 1}`, module: "worker/main.js", env, log, onMisconfigured }),
    ),
  ];
  let stopping = false;
  const stopAll = async (exitCode: number) => {
    if (stopping) return;
    stopping = true;
    await Promise.all(processes.map(async (one) => one.stop(settings.SHUTDOWN_GRACE_MS + EXTRA_GRACE_MS)));
    await database?.stop();
    process.exit(exitCode);
  };
  let firstSignalAt: number | undefined;
  const onSignal = () => {
    // npm passes Ctrl-C on as well, so that one keystroke may arrive twice.
    if (firstSignalAt !== undefined && performance.now() - firstSignalAt < SAME_SIGNAL_MS) return;
    if (firstSignalAt !== undefined) {
      void Promise.all(processes.map(async (one) => one.stop(0)))
        .then(async () => database?.stop())
        .then(() => process.exit(130));
      return;
    }
    firstSignalAt = performance.now();
    void stopAll(0);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  void database?.exited.then(() => {
    if (!stopping) log.fatal("the embedded PostgreSQL ended by itself: see postgres.log in DATA_DIR");
    return stopAll(1);
  });
  await Promise.all(processes.map(async (one) => one.ready));
  const host = settings.HOST === "::1" ? "[::1]" : settings.HOST;
  process.stdout.write(`Threadmill ready at http://${host}:${settings.PORT}\n`);
}

async function checkPort({ HOST, PORT }: Settings): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", () =>
      reject(new SettingsError(`PORT ${PORT} on ${HOST} is in use: stop what uses it, or set PORT to a free one`)),
    );
    probe.listen(PORT, HOST, () => probe.close(() => resolve()));
  });
}

try {
  await main(loadEnv());
} catch (error) {
  const expected = error instanceof SettingsError || error instanceof DatabaseSetupError;
  process.stderr.write(
    `${expected ? error.message : `Threadmill could not start: ${error instanceof Error ? error.message : String(error)}`}\n`,
  );
  process.exit(1);
}
