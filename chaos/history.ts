import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { GraphName } from "./jobs/graphs.ts";

/*
 * The history that the checker compares with the tables, in files outside the database. Clients record their requests
 * and answers, handlers their runs, and the crash test its crashes of the database. All times come from the system's
 * monotonic clock, which the processes of a machine share.
 */

/** One request of a client. A repeated request is another entry. */
export interface Entry {
  client: string;
  verb: "submit" | "enqueue" | "cancel" | "retry" | "answer" | "status";
  sentMs: number;
  endedMs: number;
  /** A `lost` request may have taken effect at any time after it was sent. */
  outcome: "answered" | "refused" | "lost";
  /** The code of an error answer. */
  code?: string | undefined;
  /** The affected jobs; empty for an unanswered submit. */
  jobIds: string[];
  turn?: { threadId: string; graph: GraphName | null; content: string; key: string };
  /** Identifies the job of an enqueue without an id. */
  mark?: string;
  /** The status in the answer. */
  status?: string;
  reply?: string | null;
}

/** The start or the end of one run of a handler. */
export interface RunEntry {
  phase: "start" | "end";
  atMs: number;
  pid: number;
  /** The number of the run in its process. */
  run: number;
  jobId: string;
  attempt: number;
  queue: string;
  limitKey: string | null;
}

/** One run of a handler; `endMs` is null when its process died first. */
export interface HandlerRun extends Omit<RunEntry, "phase" | "atMs" | "run"> {
  startMs: number;
  endMs: number | null;
}

export interface History {
  entries: Entry[];
  runs: HandlerRun[];
  /** The times of the database crashes. */
  crashesMs: number[];
}

export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const files = (folder: string) => ({
  clients: join(folder, "clients.jsonl"),
  runs: join(folder, "runs.jsonl"),
  crashes: join(folder, "crashes.jsonl"),
});

export class HistoryWriter {
  readonly #files: ReturnType<typeof files>;

  constructor(folder: string) {
    this.#files = files(folder);
  }

  addEntry(entry: Entry): void {
    append(this.#files.clients, entry);
  }

  addRun(entry: RunEntry): void {
    append(this.#files.runs, entry);
  }

  addCrash(): void {
    append(this.#files.crashes, nowMs());
  }
}

/** Appends a line in one write: a killed process has written all of it or nothing. */
function append(file: string, value: unknown): void {
  appendFileSync(file, `${JSON.stringify(value)}\n`);
}

export function readHistory(folder: string): History {
  const { clients, runs, crashes } = files(folder);
  return { entries: readLines<Entry>(clients), runs: toRuns(readLines<RunEntry>(runs)), crashesMs: readLines(crashes) };
}

function readLines<T>(file: string): T[] {
  appendFileSync(file, "");
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

function toRuns(entries: readonly RunEntry[]): HandlerRun[] {
  const runs = new Map<string, HandlerRun>();
  for (const { phase, atMs, run, ...rest } of entries) {
    const key = `${rest.pid} ${run} ${rest.jobId}`;
    const started = runs.get(key);
    if (phase === "start") runs.set(key, { ...rest, startMs: atMs, endMs: null });
    else if (started) started.endMs = atMs;
  }
  return [...runs.values()];
}

/** The longest time from a claim to the start of its handler, including a freeze of the worker. */
const MAX_START_DELAY_MS = 5_000;

/**
 * True when the database crashed between the claim of a run and `untilMs`. The crash may have undone the claim, because
 * claims commit without waiting for the disk.
 */
export function mayHaveLostClaim(crashesMs: readonly number[], startMs: number, untilMs: number): boolean {
  return crashesMs.some((atMs) => atMs > startMs - MAX_START_DELAY_MS && atMs < untilMs);
}
