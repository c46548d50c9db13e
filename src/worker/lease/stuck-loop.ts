import { claimKey } from "#queue";
import type { HeldClaim } from "#queue/fleet";

/** How long a process must have been deaf, and a run overdue, in milliseconds. */
const PATIENCE_MS = 5_000;
/** After how long a deaf process is worth a warning, in milliseconds. */
const DEAF_MS = 10_000;

/** Finds out that a run keeps its process's event loop busy beyond its timeout, so that nothing else there can go on. */
export class StuckLoop {
  readonly #leaseMs: number;
  /** When each claim was first seen, by its key. */
  readonly #seenAt = new Map<string, number>();
  #unansweredSince: number | undefined;
  #hasWarned = false;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** Notes that the process was asked for a sign of life. */
  asked(nowMs: number): void {
    this.#unansweredSince ??= nowMs;
  }

  /** Notes that it gave one. */
  answered(): void {
    this.#unansweredSince = undefined;
    this.#hasWarned = false;
  }

  /** True once for each time that the process has been deaf for long: it hears no signal and claims nothing. */
  becameDeaf(nowMs: number): boolean {
    if (this.#hasWarned || this.#unansweredSince === undefined || nowMs - this.#unansweredSince < DEAF_MS) return false;
    this.#hasWarned = true;
    return true;
  }

  /** The claims whose runs are overdue in a process that is deaf; empty while it answers. Call it at each heartbeat. */
  overdue(claims: readonly Required<HeldClaim>[], nowMs: number): Required<HeldClaim>[] {
    const keys = new Set(claims.map(claimKey));
    for (const key of this.#seenAt.keys()) if (!keys.has(key)) this.#seenAt.delete(key);
    for (const key of keys) if (!this.#seenAt.has(key)) this.#seenAt.set(key, nowMs);
    if (this.#unansweredSince === undefined || nowMs - this.#unansweredSince < PATIENCE_MS) return [];
    // A claim may be held for one lease longer than its run may take.
    return claims.filter(
      (claim) => nowMs - (this.#seenAt.get(claimKey(claim)) ?? nowMs) > claim.maxAgeMs - this.#leaseMs + PATIENCE_MS,
    );
  }
}
