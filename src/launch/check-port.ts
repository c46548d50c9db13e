import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { SettingsError } from "#env";
import type { Settings } from "#env";

type Address = Pick<Settings, "HOST" | "PORT">;

/** An API whose launcher was killed may hold its port for this long. */
const RELEASE_LIMIT_MS = 2_000;
const RETRY_MS = 50;

/**
 * Checks, before any process starts, that the API can listen on the address.
 * @throws SettingsError when it cannot: stop the process that holds the port, or change the setting.
 */
export async function checkPort({ HOST, PORT }: Address): Promise<void> {
  const lastTry = performance.now() + RELEASE_LIMIT_MS;
  for (;;) {
    const code = await tryPort(HOST, PORT);
    if (code === undefined) return;
    if (code !== "EADDRINUSE") throw new SettingsError(describe(code, { HOST, PORT }));
    if (performance.now() > lastTry)
      throw new SettingsError(
        `PORT ${PORT} on ${HOST} is in use: stop the process that uses it, or set PORT to a free port`,
      );
    await wait(RETRY_MS);
  }
}

/** Returns a currently free port of the host. */
export async function freePort(host: string): Promise<number> {
  const probe = createServer().listen(0, host);
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await once(probe.close(), "close");
  return port;
}

function describe(code: string, { HOST, PORT }: Address): string {
  if (code === "EACCES")
    return `PORT ${PORT} on ${HOST} may not be opened by this user: set PORT to one from 1024 to 65535`;
  return `HOST ${HOST} cannot be listened at (${code}): set HOST to 127.0.0.1`;
}

/** Returns the code of the error; undefined when the port is free. */
async function tryPort(host: string, port: number): Promise<string | undefined> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", (error) => resolve("code" in error && typeof error.code === "string" ? error.code : "unknown"));
    probe.listen(port, host, () => probe.close(() => resolve(undefined)));
  });
}
