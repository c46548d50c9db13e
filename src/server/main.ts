import { EVENTS_CHANNEL } from "#queue/events";
import { hostname } from "node:os";
import type { FastifyInstance } from "fastify";
import { Database, Listener } from "#db";
import { BAD_SETTINGS_EXIT_CODE, loadEnv, SettingsError } from "#env";
import type { Settings } from "#env";
import { openTracer } from "#tracing";
import { buildApp } from "./app.ts";
import { JobFeeds } from "./live/job-feeds.ts";
import { mapError } from "./http/map-error.ts";

/** One more than the concurrent searches (`MAX_SEARCHES`), so that counts and lists do not wait for them. */
const SLOW_READ_CONNECTIONS = 3;

async function main(settings: Settings): Promise<void> {
  if (settings.DATABASE_URL === undefined) {
    throw new SettingsError(
      "DATABASE_URL must be set for an API that runs by itself; npm start brings its own database",
    );
  }
  const connection = { url: settings.DATABASE_URL, prepare: settings.DATABASE_PREPARE === "true" };
  const db = new Database({ ...connection, applicationName: "threadmill-api" });
  const slowReads = new Database({
    ...connection,
    maxConnections: SLOW_READ_CONNECTIONS,
    hasSlowReads: true,
    applicationName: "threadmill-api-reads",
  });
  const feeds = new JobFeeds(db);
  const listener = new Listener({
    url: settings.DATABASE_LISTEN_URL ?? settings.DATABASE_URL,
    channels: { [EVENTS_CHANNEL]: (payload) => feeds.hear(payload) },
  });
  await listener.start();
  const tracer = await openTracer({
    settings,
    serviceName: "threadmill-server",
    instanceId: `${hostname()}-${process.pid}`,
    // A span, like a response, never contains the text of an unknown error.
    describe: (error) => ({ name: error instanceof Error ? error.name : "Error", message: mapError(error).message }),
    log: {
      warn: (fields, text) => app.log.warn(fields, text),
      info: (fields, text) => app.log.info(fields, text),
    },
  });
  const app = await buildApp({ db, slowReads, feeds, tracer, logLevel: settings.LOG_LEVEL });
  await listenOn(app, settings);
  process.send?.({ type: "ready" });

  let isLeaving = false;
  const leave = (signal: string) => {
    if (isLeaving) process.exit(1);
    isLeaving = true;
    app.log.info({ signal }, "closing");
    const forced = setTimeout(() => process.exit(1), settings.SHUTDOWN_GRACE_MS);
    forced.unref();
    void (async () => {
      await app.close();
      await listener.stop();
      await Promise.all([db.close(), slowReads.close()]);
      clearTimeout(forced);
      await tracer?.close();
      process.exit(0);
    })();
  };
  process.on("SIGTERM", () => leave("SIGTERM"));
  process.on("SIGINT", () => leave("SIGINT"));
  // The launcher has ended, so no other process would stop this one.
  process.on("disconnect", () => leave("disconnect"));
}

/** @throws SettingsError when the port is in use, or this user may not open it. The message names the remedy. */
async function listenOn(app: FastifyInstance, settings: Settings): Promise<void> {
  try {
    await app.listen({ host: settings.HOST, port: settings.PORT });
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EADDRINUSE" || error.code === "EACCES")) {
      const why = error.code === "EACCES" ? "may not be opened by this user" : "is in use";
      throw new SettingsError(
        `PORT ${settings.PORT} on ${settings.HOST} ${why}: stop the process that uses it, or set PORT to a free port`,
        { cause: error },
      );
    }
    throw error;
  }
}

try {
  await main(loadEnv());
} catch (error) {
  const isKnown = error instanceof SettingsError;
  const text = error instanceof Error ? error.message : "unknown error";
  process.stderr.write(`${isKnown ? text : `The API could not start: ${text}`}\n`);
  process.exit(isKnown ? BAD_SETTINGS_EXIT_CODE : 1);
}
