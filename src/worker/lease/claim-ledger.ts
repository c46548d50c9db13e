import type { HeldClaim } from "#queue/fleet";

/*
 * A slot in the shared memory: a version, which is odd during a write (int32); the attempt, 0 in a free slot (int32); the
 * age limit in milliseconds (float64); the job's id as text.
 */
const SLOT_BYTES = 64;
const INTS = SLOT_BYTES / Int32Array.BYTES_PER_ELEMENT;
const DOUBLES = SLOT_BYTES / Float64Array.BYTES_PER_ELEMENT;
const ID_AT = 16;
const ID_CHARS = 36;

/**
 * The claims that a worker holds, in memory shared with its heartbeat thread. Only the worker's thread writes. Messages
 * would cost more than small jobs, of which thousands begin and end each second.
 */
export class ClaimLedger {
  /** The other thread opens its ledger on this memory. */
  readonly memory: SharedArrayBuffer;
  readonly #ints: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Buffer;
  readonly #workerId: string;
  readonly #free: number[] = [];

  /** @param slots the number of slots of a new ledger, or the memory of an existing one. */
  constructor(workerId: string, slots: number | SharedArrayBuffer) {
    this.memory = typeof slots === "number" ? new SharedArrayBuffer(slots * SLOT_BYTES) : slots;
    this.#workerId = workerId;
    this.#ints = new Int32Array(this.memory);
    this.#doubles = new Float64Array(this.memory);
    this.#bytes = Buffer.from(this.memory);
    for (let slot = this.memory.byteLength / SLOT_BYTES - 1; slot >= 0; slot -= 1) this.#free.push(slot);
  }

  /**
   * Enters a claim and returns its slot.
   * @throws RangeError when every slot is taken: the ledger was made too small.
   */
  add({ jobId, attempt, maxAgeMs }: { jobId: string; attempt: number; maxAgeMs: number }): number {
    const slot = this.#free.pop();
    if (slot === undefined) throw new RangeError("the claim ledger is full");
    const at = slot * INTS;
    Atomics.add(this.#ints, at, 1);
    this.#ints[at + 1] = attempt;
    this.#doubles[slot * DOUBLES + 1] = maxAgeMs;
    this.#bytes.write(jobId, slot * SLOT_BYTES + ID_AT, ID_CHARS, "latin1");
    Atomics.add(this.#ints, at, 1);
    return slot;
  }

  /** Frees a slot. */
  remove(slot: number): void {
    const at = slot * INTS;
    Atomics.add(this.#ints, at, 1);
    this.#ints[at + 1] = 0;
    Atomics.add(this.#ints, at, 1);
    this.#free.push(slot);
  }

  /** Returns the held claims. One that is being entered or removed may be missing: its lease is new or over. */
  read(): Required<HeldClaim>[] {
    const claims: Required<HeldClaim>[] = [];
    for (let slot = 0; slot * SLOT_BYTES < this.memory.byteLength; slot += 1) {
      const at = slot * INTS;
      const version = Atomics.load(this.#ints, at);
      const attempt = this.#ints[at + 1] ?? 0;
      const maxAgeMs = this.#doubles[slot * DOUBLES + 1] ?? 0;
      const from = slot * SLOT_BYTES + ID_AT;
      const jobId = this.#bytes.toString("latin1", from, from + ID_CHARS);
      const isWhole = version % 2 === 0 && Atomics.load(this.#ints, at) === version;
      if (isWhole && attempt !== 0) claims.push({ jobId, attempt, workerId: this.#workerId, maxAgeMs });
    }
    return claims;
  }
}
