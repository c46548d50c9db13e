import type { HeldClaim } from "#queue/fleet";

/*
 * A claim's place in the shared memory, in bytes: a version, odd while the place is being written; the attempt, 0 where
 * the place is free; the age limit; the job's id as text.
 */
const PLACE_BYTES = 64;
const INTS = PLACE_BYTES / Int32Array.BYTES_PER_ELEMENT;
const DOUBLES = PLACE_BYTES / Float64Array.BYTES_PER_ELEMENT;
const ID_AT = 16;
const ID_CHARS = 36;

/**
 * The claims that a worker holds, in memory that it shares with its heartbeat's thread: claims come and go by the
 * thousand a second, and a message for each would cost both threads more than a small job does. One thread writes.
 */
export class ClaimLedger {
  /** What the other thread opens its own ledger on. */
  readonly memory: SharedArrayBuffer;
  readonly #ints: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Buffer;
  readonly #workerId: string;
  readonly #free: number[] = [];

  /** A ledger of so many places, or one on another's memory. */
  constructor(workerId: string, places: number | SharedArrayBuffer) {
    this.memory = typeof places === "number" ? new SharedArrayBuffer(places * PLACE_BYTES) : places;
    this.#workerId = workerId;
    this.#ints = new Int32Array(this.memory);
    this.#doubles = new Float64Array(this.memory);
    this.#bytes = Buffer.from(this.memory);
    for (let place = this.memory.byteLength / PLACE_BYTES - 1; place >= 0; place -= 1) this.#free.push(place);
  }

  /**
   * Enters a claim and returns its place.
   * @throws RangeError when every place is taken: the worker holds more claims than it said it would.
   */
  add({ jobId, attempt, maxAgeMs }: { jobId: string; attempt: number; maxAgeMs: number }): number {
    const place = this.#free.pop();
    if (place === undefined) throw new RangeError("the ledger of claims is full");
    const at = place * INTS;
    Atomics.add(this.#ints, at, 1);
    this.#ints[at + 1] = attempt;
    this.#doubles[place * DOUBLES + 1] = maxAgeMs;
    this.#bytes.write(jobId, place * PLACE_BYTES + ID_AT, ID_CHARS, "latin1");
    Atomics.add(this.#ints, at, 1);
    return place;
  }

  /** Frees a place. */
  remove(place: number): void {
    const at = place * INTS;
    Atomics.add(this.#ints, at, 1);
    this.#ints[at + 1] = 0;
    Atomics.add(this.#ints, at, 1);
    this.#free.push(place);
  }

  /** The claims that are held. One that comes or goes at this very moment may be missing: its lease is new, or done with. */
  read(): Required<HeldClaim>[] {
    const claims: Required<HeldClaim>[] = [];
    for (let place = 0; place * PLACE_BYTES < this.memory.byteLength; place += 1) {
      const at = place * INTS;
      const version = Atomics.load(this.#ints, at);
      const attempt = this.#ints[at + 1] ?? 0;
      const maxAgeMs = this.#doubles[place * DOUBLES + 1] ?? 0;
      const from = place * PLACE_BYTES + ID_AT;
      const jobId = this.#bytes.toString("latin1", from, from + ID_CHARS);
      const whole = version % 2 === 0 && Atomics.load(this.#ints, at) === version;
      if (whole && attempt !== 0) claims.push({ jobId, attempt, workerId: this.#workerId, maxAgeMs });
    }
    return claims;
  }
}
