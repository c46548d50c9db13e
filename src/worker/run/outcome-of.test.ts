import { DatabaseUnavailableError, LeaseLostError, QueryTimeoutError } from "#queue";
import { expect, test } from "vitest";
import {
  BudgetExceededError,
  CancelledError,
  JobTimeoutError,
  PermanentError,
  ProcessDiedError,
  RetryAfterError,
  ShutdownError,
  SnoozeError,
  WaitError,
} from "../errors.ts";
import { outcomeOf } from "./outcome-of.ts";

const failure = { after: "failed", level: "warn", isFailure: true };

test.each<[unknown, object]>([
  [new ShutdownError("leaving"), { after: "released", level: "info", end: "released" }],
  [new SnoozeError(5), { after: "snoozed", level: "info", end: "released" }],
  [new CancelledError("cancelled"), { after: "cancelled", level: "info", end: "cancelled" }],
  [new WaitError([]), { after: "parked", level: "info", end: "waiting" }],
  [new DatabaseUnavailableError("away"), { after: undefined, level: "warn", end: "released" }],
  [new QueryTimeoutError("slow"), { ...failure, end: "failed" }],
  [new ProcessDiedError("died"), { ...failure, end: "crashed" }],
  [new JobTimeoutError(5), { ...failure, end: "timed_out" }],
  [new PermanentError("no"), { ...failure, end: "failed" }],
  [new BudgetExceededError("no"), { ...failure, end: "failed" }],
  [new RetryAfterError("later", 5), { ...failure, end: "failed" }],
  [new TypeError("boom"), { ...failure, end: "failed" }],
  ["a string", { ...failure, end: "failed" }],
])("%s ends an attempt as %j", (error, { after, level, end, isFailure }: Partial<ReturnType<typeof outcomeOf>>) => {
  const outcome = outcomeOf(error);
  expect(outcome.settle).toBeDefined();
  expect([outcome.after, outcome.level, outcome.end, outcome.isFailure]).toEqual([after, level, end, isFailure]);
});

test("an attempt that lost its lease writes nothing", () => {
  const { settle, end } = outcomeOf(new LeaseLostError("00000000-0000-7000-8000-000000000001", 1));
  expect([settle, end]).toEqual([undefined, "lease_lost"]);
});
