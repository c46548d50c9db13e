import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ENTRY = fileURLToPath(new URL("../src/launch/run.mjs", import.meta.url));
const ROOT = fileURLToPath(new URL("../", import.meta.url));

export type Command = "start" | "server" | "worker" | "migrate" | "build";

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running command of the product, in its own process group as in a terminal. */
export interface Running {
  pid: number;
  stdout: () => string;
  stderr: () => string;
  /** Waits until stdout and stderr together contain this many matches. Rejects when the process ends first. */
  says: (pattern: RegExp, times?: number) => Promise<void>;
  /** Sends a signal to the whole group, like a terminal. */
  signal: (signal: NodeJS.Signals) => void;
  /** Resolves when the process has ended. */
  ended: Promise<Ended>;
  /** Resolves when every process that writes to its output has ended. */
  silent: Promise<void>;
}

const running = new Set<Running>();
const folders: string[] = [];

/**
 * Runs a command with these settings, without the developer's environment. A wrapper is a command line such as `unshare`
 * that runs its arguments as a command.
 */
export function run(command: Command, settings: Record<string, string> = {}, wrapper: string[] = []): Running {
  return runLine([...wrapper, process.execPath, ENTRY, command], settings);
}

/** Runs a script of package.json through npm; `pid` is the process id of npm. */
export function runScript(script: string, settings: Record<string, string> = {}): Running {
  return runLine(["npm", "run", script], settings);
}

function runLine([file = "", ...args]: string[], settings: Record<string, string>): Running {
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], DATABASE_URL: "", DATABASE_LISTEN_URL: "" };
  const child = spawn(file, args, {
    cwd: ROOT,
    detached: true,
    env: { ...env, HOST: "127.0.0.1", LOG_LEVEL: "info", MODEL: "", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const watchers = new Set<() => void>();
  const look = () => {
    for (const watcher of watchers) watcher();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    look();
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("the process could not be started");
  const one: Running = {
    pid,
    stdout: () => stdout,
    stderr: () => stderr,
    says: async (pattern, times = 1) =>
      new Promise((resolve, reject) => {
        const every = new RegExp(pattern.source, "g");
        const watch = () => {
          if ([...`${stdout}\n${stderr}`.matchAll(every)].length < times) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
        child.once("close", () =>
          reject(
            new Error(`the process ended before its output matched ${pattern} ${times} times:\n${stdout}${stderr}`),
          ),
        );
      }),
    signal: (signal) => {
      process.kill(-pid, signal);
    },
    ended: new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        running.delete(one);
        resolve({ code, signal });
      });
    }),
    silent: new Promise((resolve) => {
      child.once("close", () => resolve());
    }),
  };
  running.add(one);
  return one;
}

/** Builds the product before the tests, because a build may take longer than a test. */
export async function build(): Promise<void> {
  const one = run("build");
  await one.silent;
  if ((await one.ended).code !== 0) throw new Error(one.stderr());
}

/** Kills the processes that a failed test has left running, and removes its folders. */
export async function endAll({ keepFolders = false } = {}): Promise<void> {
  for (const one of running) {
    const family = descendants(one.pid);
    one.signal("SIGKILL");
    for (const { pid } of family) kill(pid);
    await one.ended;
  }
  if (keepFolders) return;
  for (const folder of folders.splice(0))
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

/** Creates a temporary folder, which `endAll` removes. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "threadmill-process-"));
  folders.push(folder);
  return folder;
}

/** Returns a currently free port of 127.0.0.1. */
export async function freePort(): Promise<string> {
  const probe = createServer();
  const port = await new Promise<string>((resolve, reject) => {
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      if (address === null || typeof address === "string") reject(new Error("no port was given"));
      else resolve(String(address.port));
    });
  });
  await new Promise<void>((done) => {
    probe.close(() => done());
  });
  return port;
}

export interface Descendant {
  pid: number;
  args: string;
}

/** Lists the running descendants of a process. */
export function descendants(pid: number): Descendant[] {
  const all = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, own, parent, args]) => ({ pid: Number(own), parent: Number(parent), args: args ?? "" }));
  const of = (parent: number): Descendant[] =>
    all.filter((one) => one.parent === parent).flatMap(({ pid: own, args }) => [{ pid: own, args }, ...of(own)]);
  return of(pid);
}

/** Finds the descendant whose command line contains this text. */
export function findProcess(pid: number, part: string): number {
  const found = descendants(pid).find(({ args }) => args.includes(part));
  if (!found) throw new Error(`process ${pid} runs nothing like ${part}`);
  return found.pid;
}

/** Returns the processes that still run. A zombie does not count. */
export function alive(processes: readonly number[]): number[] {
  return processes.filter((pid) => {
    const { stdout } = spawnSync("ps", ["-p", String(pid), "-o", "stat="], { encoding: "utf8" });
    return stdout.trim() !== "" && !stdout.startsWith("Z");
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
