import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { SettingsError } from "#env";
import type { Settings } from "#env";

/** How long an API whose launcher was killed may still take to leave its port. */
const LEAVING_MS = 2_000;

/**
 * Finds out, before anything is started, that the address can be listened at.
 * @throws SettingsError when it cannot; stop what uses it, or change the setting.
 */
export async function checkPort({ HOST, PORT }: Pick<Settings, "HOST" | "PORT">): Promise<void> {
  const lastTry = performance.now() + LEAVING_MS;
  for (;;) {
    const code = await tryPort(HOST, PORT);
    if (code === undefined) return;
    if (code !== "EADDRINUSE") throw new SettingsError(describe(code, { HOST, PORT }));
    if (performance.now() > lastTry)
      throw new SettingsError(`PORT ${PORT} on ${HOST} is in use: stop what uses it, or set PORT to a free one`);
    await wait(50);
  }
}

/** A port of this machine that is free at present. */
export async function freePort(host: string): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done, failed) => {
    probe.once("error", failed);
    probe.listen(0, host, done);
  });
  const address = probe.address();
  await new Promise<void>((done) => {
    probe.close(() => done());
  });
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

function describe(code: string, { HOST, PORT }: Pick<Settings, "HOST" | "PORT">): string {
  if (code === "EACCES")
    return `PORT ${PORT} on ${HOST} may not be opened by this user: set PORT to one from 1024 to 65535`;
  return `HOST ${HOST} cannot be listened at (${code}): set HOST to 127.0.0.1`;
}

/** The error's code; undefined when the port is free. */
async function tryPort(host: string, port: number): Promise<string | undefined> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", (error) => resolve("code" in error && typeof error.code === "string" ? error.code : "unknown"));
    probe.listen(port, host, () => probe.close(() => resolve(undefined)));
  });
}
