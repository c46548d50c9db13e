/** The process in which a worker runs one job alone, because a process with this job has died before. */
import { loadEnv } from "#env";
import { assemble, orExit } from "../assemble.ts";
import { serveQuarantine } from "./serve.ts";

const MAX_CONNECTIONS = 4;

await orExit(() =>
  serveQuarantine(async ({ workerId }) => {
    const parts = await assemble(loadEnv(), { workerId, process: "quarantine", maxConnections: MAX_CONNECTIONS });
    const { db, tracer } = parts;
    return { ...parts, close: async () => void (await Promise.all([db.close(), tracer?.close()])) };
  }),
);
