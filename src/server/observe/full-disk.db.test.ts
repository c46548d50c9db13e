import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database, migrate, startEmbeddedPostgres } from "#db";
import { buildApp } from "../app.ts";

/** Enough for a new server and its first WAL files. */
const DISK = "160m";
const folder = mkdtempSync(join(tmpdir(), "threadmill-full-"));
let isMounted = false;

beforeAll(() => {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", folder], { stdio: "ignore" });
    isMounted = true;
  } catch {
    process.stderr.write("skipped: the full-disk test needs the right to mount a tmpfs\n");
  }
});
afterAll(() => {
  if (isMounted) execFileSync("umount", [folder]);
  rmSync(folder, { recursive: true, force: true });
});

/** Fills the disk with one file, and returns its path. */
function fillDisk(): string {
  const path = join(folder, "filler");
  const file = openSync(path, "w");
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    closeSync(file);
  }
  return path;
}

test("with a full disk the API is not ready and refuses submits; with free space it recovers", async ({ skip }) => {
  if (!isMounted) skip();
  const server = await startEmbeddedPostgres({ dataDir: join(folder, "data") });
  await migrate({ url: server.url });
  const db = new Database({ url: server.url });
  const app = await buildApp({ db, logLevel: "silent" });
  const isReady = async () => (await app.inject({ url: "/readyz" })).statusCode;
  try {
    expect(await isReady()).toBe(200);
    const filler = fillDisk();
    await expect.poll(isReady, { timeout: 10_000, interval: 100 }).toBe(503);
    const refused = await app.inject({ url: "/readyz" });
    expect(refused.json()).toMatchObject({ detail: "The database has no space left on its disk" });
    expect(refused.headers["retry-after"]).toBe("2");
    const submit = async () => {
      // Random, so that PostgreSQL cannot compress it.
      const payload = { content: randomBytes(4_000).toString("hex") };
      return (await app.inject({ method: "POST", url: "/api/trpc/chat.submit", payload })).statusCode;
    };
    const statuses = new Set(await Promise.all(Array.from({ length: 40 }, submit)));
    expect([...statuses].filter((status) => ![200, 503].includes(status))).toEqual([]);
    expect(statuses).toContain(503);
    rmSync(filler);
    await expect.poll(isReady, { timeout: 10_000, interval: 100 }).toBe(200);
    expect(await submit()).toBe(200);
  } finally {
    await app.close();
    await db.close();
    await server.stop(0);
  }
}, 90_000);
