import { claimKey } from "#queue";
import type { HeldClaim } from "#queue/fleet";

/** How long an event loop must have been blocked, and a run overdue, before the process is killed. */
const KILL_AFTER_MS = 5_000;
const WARN_AFTER_MS = 10_000;

/** Detects a run that blocks its process's event loop beyond its timeout. */
export class StuckLoop {
  readonly #leaseMs: number;
  /** When each claim was first seen, by its key, in milliseconds. */
  readonly #seenAt = new Map<string, number>();
  #unansweredSince: number | undefined;
  #hasWarned = false;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** Records that the event loop was pinged. */
  asked(nowMs: number): void {
    this.#unansweredSince ??= nowMs;
  }

  /** Records that the event loop answered. */
  answered(): void {
    this.#unansweredSince = undefined;
    this.#hasWarned = false;
  }

  /** Returns true once for each time that the event loop is blocked for `WARN_AFTER_MS`. */
  becameBlocked(nowMs: number): boolean {
    if (this.#hasWarned || this.#unansweredSince === undefined || nowMs - this.#unansweredSince < WARN_AFTER_MS)
      return false;
    this.#hasWarned = true;
    return true;
  }

  /** Returns the claims of overdue runs; empty while the event loop answers. Call it at each heartbeat. */
  overdue(claims: readonly Required<HeldClaim>[], nowMs: number): Required<HeldClaim>[] {
    const keys = new Set(claims.map(claimKey));
    for (const key of this.#seenAt.keys()) if (!keys.has(key)) this.#seenAt.delete(key);
    for (const key of keys) if (!this.#seenAt.has(key)) this.#seenAt.set(key, nowMs);
    if (this.#unansweredSince === undefined || nowMs - this.#unansweredSince < KILL_AFTER_MS) return [];
    // The age limit of a claim is its run's timeout plus one lease.
    return claims.filter(
      (claim) => nowMs - (this.#seenAt.get(claimKey(claim)) ?? nowMs) > claim.maxAgeMs - this.#leaseMs + KILL_AFTER_MS,
    );
  }
}
