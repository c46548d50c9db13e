import { createHash } from "node:crypto";
import { rmSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSetupError, errorCode } from "./errors.ts";

/** Held for as long as the process lives; the system itself lets go of it when the process is killed. */
export interface FolderLock {
  release: () => Promise<void>;
}

/**
 * Takes a folder for this process alone, by listening at a name made from the folder's identity: unlike a lock file,
 * such a name cannot be left behind.
 * @throws DatabaseSetupError when another process has it: stop that one, or choose another folder.
 */
export async function lockFolder(folder: string, shownAs: string): Promise<FolderLock> {
  const { dev, ino } = statSync(folder);
  const name = nameOf(createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32));
  const server = (await tryListen(name)) ?? ((await isStale(name)) ? await tryListen(name) : undefined);
  if (!server)
    throw new DatabaseSetupError(
      `DATA_DIR: ${shownAs} is in use by another Threadmill: stop that one, or set DATA_DIR to another folder`,
    );
  server.unref();
  return {
    release: async () =>
      new Promise((done) => {
        server.close(() => done());
      }),
  };
}

function nameOf(id: string): string {
  if (process.platform === "linux") return `\0threadmill-${id}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\threadmill-${id}`;
  return join(tmpdir(), `threadmill-${id}.sock`);
}

/** The server that holds the name, or undefined when another has it. */
async function tryListen(name: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((done, failed) => {
    server.once("error", (error) => (errorCode(error) === "EADDRINUSE" ? done(undefined) : failed(error)));
    server.listen(name, () => done(server));
  });
}

/** Where names are files, a killed process leaves one behind: nobody answers there, so it goes. */
async function isStale(name: string): Promise<boolean> {
  if (process.platform === "linux" || process.platform === "win32") return false;
  const refused = await new Promise<boolean>((done) => {
    const socket = connect(name, () => {
      socket.destroy();
      done(false);
    });
    socket.once("error", (error) => done(errorCode(error) === "ECONNREFUSED"));
  });
  if (refused) rmSync(name, { force: true });
  return refused;
}
