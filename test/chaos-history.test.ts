import { expect, test } from "vitest";
import { checkCancels } from "../chaos/check-cancels.ts";
import { checkSubmitOrder } from "../chaos/check-history.ts";
import type { Evidence, FinalJob } from "../chaos/check-history.ts";
import { findCrowds } from "../chaos/check-limits.ts";
import { checkRuns } from "../chaos/check-runs.ts";
import { checkStatuses } from "../chaos/check-statuses.ts";
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
const RUN: HandlerRun = { pid: 1, jobId: "a", attempt: 1, queue: "default", limitKey: null, beginMs: 0, endMs: 5 };

/** Evidence about the job `a`. */
const evidence = (
  job: Partial<FinalJob>,
  entries: Partial<Entry>[],
  rest: Partial<Pick<Evidence, "runs" | "crashes">> = {},
): Evidence => ({
  jobs: new Map([["a", { ...JOB, ...job }]]),
  entries: entries.map((entry) => ({ ...ENTRY, ...entry })),
  runs: [],
  crashes: [],
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
  ["a job that was redriven before the cancel", 1, evidence({}, [retried(5), cancelled("cancelled")])],
  ["a job that was redriven after the cancel", 0, evidence({}, [cancelled("cancelled"), retried(20)])],
  ["a job with an unanswered retry before the cancel", 0, evidence({}, [retried(5, "lost"), cancelled("cancelled")])],
  ["a job with a refused retry after the cancel", 1, evidence({}, [cancelled("cancelled"), retried(20, "refused")])],
])("after an acknowledged cancel, %s breaks %i promises", (_what, expected, seen) => {
  expect(count(checkCancels(seen).faults)).toBe(expected);
});

test.each<[string, number, Partial<FinalJob>, string, number[]]>([
  ["of a queued job", 1, { attempt: 2, outcomes: { 2: "cancelled" } }, "cancelled", []],
  ["of a queued job whose claim had expired", 0, { attempt: 2, outcomes: { 2: "lease_expired" } }, "cancelled", []],
  ["of a claim that a database crash lost", 0, { attempt: 1 }, "cancelled", [19_000]],
  ["of the attempt that was running", 0, { attempt: 2 }, "running", []],
  ["of an attempt of a running job that is not its last", 1, { attempt: 3 }, "running", []],
])("a handler start %s after the cancel breaks %i promises", (_what, expected, job, status, crashes) => {
  const runs = [run({ attempt: 2, beginMs: 20_000 })];
  const seen = evidence({ status: "cancelled", ...job }, [cancelled(status)], { runs, crashes });
  expect(count(checkCancels(seen).faults)).toBe(expected);
});

const statusRead = (status: string, at: number): Partial<Entry> => ({ status, sentMs: at, endedMs: at + 1 });

test.each<[string, number, string, Partial<Entry>[]]>([
  ["reads of unfinished statuses in any order", 0, "completed", [statusRead("running", 1), statusRead("queued", 3)]],
  [
    "a read that was sent before the other was answered",
    0,
    "failed",
    [statusRead("failed", 1), statusRead("running", 1.5)],
  ],
  ["a failed job that runs", 1, "failed", [statusRead("failed", 1), statusRead("running", 3)]],
  ["a failed job that is completed in the table", 1, "completed", [statusRead("failed", 1)]],
  [
    "a failed job that runs after a retry",
    0,
    "completed",
    [statusRead("failed", 1), retried(3), statusRead("running", 5)],
  ],
  [
    "a failed job that runs before its retry",
    1,
    "failed",
    [statusRead("failed", 1), statusRead("running", 3), retried(5)],
  ],
  [
    "a completed job that runs after a retry",
    1,
    "completed",
    [statusRead("completed", 1), retried(3), statusRead("queued", 5)],
  ],
])("of status reads, %s: %i faults", (_what, expected, status, entries) => {
  expect(count(checkStatuses(evidence({ status }, entries)))).toBe(expected);
});

test("a reply that differs from the table is a fault", () => {
  const entries = [{ ...statusRead("completed", 1), reply: "one" }];
  expect(count(checkStatuses(evidence({ reply: "one" }, entries)))).toBe(0);
  expect(count(checkStatuses(evidence({ reply: "other" }, entries)))).toBe(1);
});

test.each<[string, number, Partial<FinalJob>, HandlerRun[], number[]]>([
  ["once", 0, {}, [RUN], []],
  ["never, although the job completed", 1, {}, [], []],
  ["never, before it was reaped", 0, { status: "failed", outcomes: { 1: "lease_expired" } }, [], []],
  ["twice", 1, {}, [RUN, run({ beginMs: 9_000 })], []],
  ["twice, after a database crash lost the claim", 0, {}, [RUN, run({ beginMs: 9_000 })], [8_000]],
  ["twice, before the database crashed", 1, {}, [RUN, run({ beginMs: 9_000 })], [9_500]],
  ["for an attempt that the table does not have", 1, {}, [RUN, run({ attempt: 2 })], []],
])("a handler that ran %s: %i faults", (_what, expected, job, runs, crashes) => {
  expect(count(checkRuns(evidence(job, [], { runs, crashes })))).toBe(expected);
});

test("one run more than the limit is a fault; a run that ends as another begins is none", () => {
  const spans = (...times: [number, number][]) =>
    times.map(([from, to]) => ({ queue: "default", limitKey: "k", from, to }));
  expect(findCrowds(spans([0, 10], [1, 10], [2, 10], [10, 20]))).toEqual([]);
  expect(findCrowds(spans([0, 10], [1, 10], [2, 10], [9, 20]))).toHaveLength(1);
  const others = [0, 1, 2, 3].map((from) => ({ queue: "default", limitKey: null, from, to: 10 }));
  expect(findCrowds(others)).toEqual([]);
});

test("a job comes before a job of its thread that was sent after its acknowledgement", () => {
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
