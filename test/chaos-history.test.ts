import { expect, test } from "vitest";
import { checkCancels } from "../chaos/check/check-cancels.ts";
import { checkSubmitOrder } from "../chaos/check/check-history.ts";
import type { Evidence, FinalJob } from "../chaos/check/check-history.ts";
import { findOverLimits } from "../chaos/check/check-limits.ts";
import { checkRuns } from "../chaos/check/check-runs.ts";
import { checkStatuses } from "../chaos/check/check-statuses.ts";
import type { Entry, HandlerRun } from "../chaos/history.ts";

const JOB: FinalJob = {
  id: "a",
  seq: "1",
  status: "completed",
  attempt: 1,
  thread_id: null,
  queue: "default",
  limit_key: null,
  reply: null,
  outcomes: {},
};
const ENTRY: Entry = { client: "c", verb: "status", sentMs: 0, endedMs: 1, outcome: "answered", jobIds: ["a"] };
const RUN: HandlerRun = { pid: 1, jobId: "a", attempt: 1, queue: "default", limitKey: null, startMs: 0, endMs: 5 };

/** Evidence about the job `a`. */
const evidence = (
  job: Partial<FinalJob>,
  entries: Partial<Entry>[],
  rest: Partial<Pick<Evidence, "runs" | "crashesMs">> = {},
): Evidence => ({
  jobs: new Map([["a", { ...JOB, ...job }]]),
  entries: entries.map((entry) => ({ ...ENTRY, ...entry })),
  runs: [],
  crashesMs: [],
  ...rest,
});
const count = (faults: Record<string, string[]>) => Object.values(faults).flat().length;

const cancelled = (status: string, at = 10): Partial<Entry> => ({
  verb: "cancel",
  sentMs: at,
  endedMs: at + 1,
  status,
});
const retried = (at: number, outcome: Entry["outcome"] = "answered"): Partial<Entry> => ({
  verb: "retry",
  sentMs: at,
  endedMs: at + 1,
  outcome,
});
const run = (more: Partial<HandlerRun>): HandlerRun => ({ ...RUN, ...more });

test.each<[string, number, Evidence]>([
  ["a queued job that stays cancelled", 0, evidence({ status: "cancelled" }, [cancelled("cancelled")])],
  ["a queued job that completes", 1, evidence({}, [cancelled("cancelled")])],
  ["a running job that completes", 0, evidence({}, [cancelled("running")])],
  ["a running job that fails", 1, evidence({ status: "failed" }, [cancelled("running")])],
  ["a job retried before the cancel", 1, evidence({}, [retried(5), cancelled("cancelled")])],
  ["a job retried after the cancel", 0, evidence({}, [cancelled("cancelled"), retried(20)])],
  ["a job with a lost retry before the cancel", 0, evidence({}, [retried(5, "lost"), cancelled("cancelled")])],
  ["a job with a refused retry after the cancel", 1, evidence({}, [cancelled("cancelled"), retried(20, "refused")])],
])("after an acknowledged cancel, %s breaks %i promises", (_what, expected, seen) => {
  expect(count(checkCancels(seen).faults)).toBe(expected);
});

test.each<[string, number, Partial<FinalJob>, string, number[]]>([
  ["a queued job starts", 1, { attempt: 2, outcomes: { 2: "cancelled" } }, "cancelled", []],
  ["the lease of a queued job's claim expired", 0, { attempt: 2, outcomes: { 2: "lease_expired" } }, "cancelled", []],
  ["a database crash undid the claim", 0, { attempt: 1 }, "cancelled", [19_000]],
  ["the running attempt reaches its handler", 0, { attempt: 2 }, "running", []],
  ["a running job starts an attempt that is not its last", 1, { attempt: 3 }, "running", []],
])("a handler starts after the cancel: %s (%i faults)", (_what, expected, job, status, crashesMs) => {
  const runs = [run({ attempt: 2, startMs: 20_000 })];
  const seen = evidence({ status: "cancelled", ...job }, [cancelled(status)], { runs, crashesMs });
  expect(count(checkCancels(seen).faults)).toBe(expected);
});

const read = (status: string, at: number): Partial<Entry> => ({ status, sentMs: at, endedMs: at + 1 });

test.each<[string, number, string, Partial<Entry>[]]>([
  ["reads of unfinished states in any order", 0, "completed", [read("running", 1), read("queued", 3)]],
  ["overlapping reads", 0, "failed", [read("failed", 1), read("running", 1.5)]],
  ["a failed job that runs", 1, "failed", [read("failed", 1), read("running", 3)]],
  ["a failed job that is completed in the table", 1, "completed", [read("failed", 1)]],
  ["a failed job that runs after a retry", 0, "completed", [read("failed", 1), retried(3), read("running", 5)]],
  ["a failed job that runs before its retry", 1, "failed", [read("failed", 1), read("running", 3), retried(5)]],
  ["a completed job that runs after a retry", 1, "completed", [read("completed", 1), retried(3), read("queued", 5)]],
])("%s: %i reversals", (_what, expected, status, entries) => {
  expect(count(checkStatuses(evidence({ status }, entries)))).toBe(expected);
});

test("a reply that differs from the table is a fault", () => {
  const entries = [{ ...read("completed", 1), reply: "one" }];
  expect(count(checkStatuses(evidence({ reply: "one" }, entries)))).toBe(0);
  expect(count(checkStatuses(evidence({ reply: "other" }, entries)))).toBe(1);
});

test.each<[string, number, Partial<FinalJob>, HandlerRun[], number[]]>([
  ["once", 0, {}, [RUN], []],
  ["never, and completed", 1, {}, [], []],
  ["never, and was reaped", 0, { status: "failed", outcomes: { 1: "lease_expired" } }, [], []],
  ["twice", 1, {}, [RUN, run({ startMs: 9_000 })], []],
  ["twice, and a database crash undid the claim", 0, {}, [RUN, run({ startMs: 9_000 })], [8_000]],
  ["twice, and the database crashed later", 1, {}, [RUN, run({ startMs: 9_000 })], [9_500]],
  ["for an unknown attempt", 1, {}, [RUN, run({ attempt: 2 })], []],
])("a handler that ran %s: %i faults", (_what, expected, job, runs, crashesMs) => {
  expect(count(checkRuns(evidence(job, [], { runs, crashesMs })))).toBe(expected);
});

test("exceeding a limit is a fault; a span that ends when another starts is not", () => {
  const spans = (...times: [number, number][]) =>
    times.map(([from, to]) => ({ queue: "default", limitKey: "k", from, to }));
  expect(findOverLimits(spans([0, 10], [1, 10], [2, 10], [10, 20]))).toEqual([]);
  expect(findOverLimits(spans([0, 10], [1, 10], [2, 10], [9, 20]))).toHaveLength(1);
  const others = [0, 1, 2, 3].map((from) => ({ queue: "default", limitKey: null, from, to: 10 }));
  expect(findOverLimits(others)).toEqual([]);
});

test("a job acknowledged before another job of its thread was sent comes before that job", () => {
  const jobs = new Map(
    Object.entries({ a: "2", b: "1" }).map(([id, seq]) => [id, { ...JOB, id, seq, thread_id: "t" }]),
  );
  const added = (id: string, at: number): Partial<Entry> => ({
    verb: "enqueue",
    jobIds: [id],
    sentMs: at,
    endedMs: at + 2,
  });
  expect(checkSubmitOrder({ ...evidence({}, [added("a", 0), added("b", 5)]), jobs })).toHaveLength(1);
  expect(checkSubmitOrder({ ...evidence({}, [added("a", 0), added("b", 1)]), jobs })).toEqual([]);
  const lost: Partial<Entry> = { ...added("b", 1), outcome: "lost" };
  expect(checkSubmitOrder({ ...evidence({}, [added("a", 0), lost, added("b", 5)]), jobs })).toEqual([]);
});
