import type { NewJob } from "#queue";
import { randomUUID } from "node:crypto";
import { OWNER_ID } from "../retry-transaction.ts";
import { KINDS } from "../jobs/job-types.ts";
import { NARROW_QUEUE } from "../load-facts.ts";
import type { Random } from "../random.ts";

/** How many jobs of one limited key are enqueued at once, and how many that nothing holds up. */
const CROWD = 10;
const FLOOD = 40;
/** The share of the jobs that begin as if they had crashed so often that they run alone. */
const SUSPECTS = 0.1;

/** Jobs that wait for nothing and take no time, which workers complete and claim together. */
export function makeFlood(random: Random): NewJob[] {
  return Array.from({ length: FLOOD }, () => ({
    ...newKeys(),
    jobType: "plain",
    payload: { workMs: random.below(5) },
  }));
}

/** Jobs of one limited key that take a while each. */
export function makeCrowd(random: Random): NewJob[] {
  const limitKey = `key ${random.below(2)}`;
  return Array.from({ length: CROWD }, () => ({
    ...newKeys(),
    jobType: "long",
    payload: { workMs: 100 + random.below(200) },
    limitKey,
  }));
}

function newKeys() {
  return { jobId: randomUUID(), ownerId: OWNER_ID, idempotencyKey: randomUUID() };
}

/** A few jobs of any kinds; the second may wait for the first. */
export function makeMix(random: Random, threads: readonly string[]): NewJob[] {
  const jobs = Array.from({ length: 1 + random.below(6) }, (): NewJob => {
    const jobType = random.pick(KINDS) ?? "short";
    return {
      ...newKeys(),
      jobType,
      payload: {
        failures: jobType === "failing" ? random.below(5) : 0,
        workMs: jobType === "long" ? 200 + random.below(600) : random.below(5),
        ...(random.next() < SUSPECTS && { suspect: true }),
      },
      priority: random.below(3),
      maxRetries: 2 + random.below(4),
      maxCrashes: 2 + random.below(6),
      threadId: random.next() < 0.3 ? random.pick(threads) : undefined,
      limitKey: random.next() < 0.2 ? `key ${random.below(2)}` : undefined,
      queue: random.next() < 0.2 ? NARROW_QUEUE : undefined,
      delayMs: random.next() < 0.25 ? random.below(2_000) : 0,
    };
  });
  const [first, second] = jobs;
  if (first && second && random.next() < 0.3) {
    jobs[1] = { ...second, after: [first.jobId ?? ""], onDependencyFailure: random.next() < 0.5 ? "run" : "fail" };
  }
  return jobs;
}
