import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { GraphName } from "./jobs/graphs.ts";

/*
 * The history that the checker judges the tables by. It lives in files outside the database: clients write down what
 * they asked and were answered, handlers when they ran, and the crash test when it crashed the database. All times are
 * of the system's monotonic clock, which the processes of one machine share.
 */

/** One request of a client, as it was sent once; a request without an answer is sent again and is another entry. */
export interface Entry {
  client: string;
  verb: "submit" | "enqueue" | "cancel" | "retry" | "answer" | "status";
  sentMs: number;
  endedMs: number;
  /** A lost request may have been carried out, at any time after it was sent. */
  outcome: "answered" | "refused" | "lost";
  /** The error's code; absent where there was no answer at all, or a good one. */
  code?: string | undefined;
  /** The jobs that it is about; empty for a submit that was not answered. */
  jobIds: string[];
  /** What was submitted. */
  turn?: { threadId: string; graph: GraphName | null; content: string; key: string };
  /** What tells the job of an enqueue without an id. */
  mark?: string;
  /** The status in the answer. */
  status?: string;
  reply?: string | null;
}

/** The beginning or the end of one run of a handler. */
export interface RunNote {
  what: "begin" | "end";
  atMs: number;
  pid: number;
  /** Counts the runs of a process. */
  run: number;
  jobId: string;
  attempt: number;
  queue: string;
  limitKey: string | null;
}

/** One run of a handler; `endMs` is null where its process died before it ended. */
export interface HandlerRun extends Omit<RunNote, "what" | "atMs" | "run"> {
  beginMs: number;
  endMs: number | null;
}

/** What the files hold. */
export interface History {
  entries: Entry[];
  runs: HandlerRun[];
  /** When the database crashed. */
  crashes: number[];
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

  addRun(note: RunNote): void {
    append(this.#files.runs, note);
  }

  addCrash(): void {
    append(this.#files.crashes, nowMs());
  }
}

/** One write of one line: whoever is killed has written all of it or nothing. */
function append(file: string, value: unknown): void {
  appendFileSync(file, `${JSON.stringify(value)}\n`);
}

export function readHistory(folder: string): History {
  const { clients, runs, crashes } = files(folder);
  return { entries: readLines<Entry>(clients), runs: toRuns(readLines<RunNote>(runs)), crashes: readLines(crashes) };
}

function readLines<T>(file: string): T[] {
  appendFileSync(file, "");
  return readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

function toRuns(notes: readonly RunNote[]): HandlerRun[] {
  const runs = new Map<string, HandlerRun>();
  for (const { what, atMs, run, ...of } of notes) {
    const key = `${of.pid} ${run} ${of.jobId}`;
    const begun = runs.get(key);
    if (what === "begin") runs.set(key, { ...of, beginMs: atMs, endMs: null });
    else if (begun) begun.endMs = atMs;
  }
  return [...runs.values()];
}

/** A claim may have been made, and a worker have slept, for so long before its handler began. */
const LONGEST_WAY_MS = 5_000;

/**
 * Whether the database crashed between the claim of a run that began at one time and another time. It may then have
 * forgotten the claim, for claims commit without waiting for the disk.
 */
export function isCrashNear(crashes: readonly number[], beganMs: number, untilMs: number): boolean {
  return crashes.some((atMs) => atMs > beganMs - LONGEST_WAY_MS && atMs < untilMs);
}
