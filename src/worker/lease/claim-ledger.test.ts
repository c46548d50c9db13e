import { v7 as uuidv7 } from "uuid";
import { expect, test } from "vitest";
import { ClaimLedger } from "./claim-ledger.ts";

const claim = (attempt = 1) => ({ jobId: uuidv7(), attempt, maxAgeMs: 1_830_000 });

test("a second ledger on the same memory reads each claim until it is removed", () => {
  const own = new ClaimLedger("w", 3);
  const other = new ClaimLedger("w", own.memory);
  expect(other.read()).toEqual([]);
  const [first, second] = [claim(), claim(7)];
  const slot = own.add(first);
  own.add(second);
  expect(other.read()).toEqual([
    { ...first, workerId: "w" },
    { ...second, workerId: "w" },
  ]);
  own.remove(slot);
  expect(other.read()).toEqual([{ ...second, workerId: "w" }]);
  const third = claim(2);
  own.add(third);
  expect(other.read()).toEqual([
    { ...third, workerId: "w" },
    { ...second, workerId: "w" },
  ]);
});

test("a full ledger throws, and takes a claim again once one is removed", () => {
  const ledger = new ClaimLedger("w", 1);
  const slot = ledger.add(claim());
  expect(() => ledger.add(claim())).toThrow(RangeError);
  ledger.remove(slot);
  const last = claim();
  ledger.add(last);
  expect(ledger.read()).toEqual([{ ...last, workerId: "w" }]);
});

test("a slot that is being written is not read: it may hold parts of two claims", () => {
  const ledger = new ClaimLedger("w", 2);
  ledger.add(claim());
  const whole = claim();
  ledger.add(whole);
  const versions = new Int32Array(ledger.memory);
  Atomics.add(versions, 0, 1);
  expect(ledger.read()).toEqual([{ ...whole, workerId: "w" }]);
  Atomics.add(versions, 0, 1);
  expect(ledger.read()).toHaveLength(2);
});
