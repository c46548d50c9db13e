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
  [new ShutdownError("leaving"), { after: "released", level: "info", name: "released" }],
  [new SnoozeError(5), { after: "snoozed", level: "info", name: "released" }],
  [new CancelledError("cancelled"), { after: "cancelled", level: "info", name: "cancelled" }],
  [new WaitError([]), { after: "parked", level: "info", name: "waiting" }],
  [new DatabaseUnavailableError("away"), { after: undefined, level: "warn", name: "released" }],
  [new QueryTimeoutError("slow"), { ...failure, name: "failed" }],
  [new ProcessDiedError("died"), { ...failure, name: "crashed" }],
  [new JobTimeoutError(5), { ...failure, name: "timed_out" }],
  [new PermanentError("no"), { ...failure, name: "failed" }],
  [new BudgetExceededError("no"), { ...failure, name: "failed" }],
  [new RetryAfterError("later", 5), { ...failure, name: "failed" }],
  [new TypeError("boom"), { ...failure, name: "failed" }],
  ["a string", { ...failure, name: "failed" }],
])("%s ends an attempt as %j", (error, { after, level, name, isFailure }: Partial<ReturnType<typeof outcomeOf>>) => {
  const outcome = outcomeOf(error);
  expect(outcome.settle).toBeDefined();
  expect([outcome.after, outcome.level, outcome.name, outcome.isFailure]).toEqual([after, level, name, isFailure]);
});

test("an attempt that lost its lease writes nothing", () => {
  const { settle, name } = outcomeOf(new LeaseLostError("00000000-0000-7000-8000-000000000001", 1));
  expect([settle, name]).toEqual([undefined, "lease_lost"]);
});
