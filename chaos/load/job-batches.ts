import type { NewJob } from "#queue";
import { randomUUID } from "node:crypto";
import { OWNER_ID } from "../retry-transaction.ts";
import { JOB_TYPES } from "../jobs/job-types.ts";
import { NARROW_QUEUE } from "../load-facts.ts";
import type { Random } from "../random.ts";

const LIMITED_JOBS = 10;
const UNLIMITED_JOBS = 40;
/** The share of jobs that start in quarantine. */
const QUARANTINED_SHARE = 0.1;

/** Short jobs without a limit, which workers complete and claim in batches. */
export function makeUnlimitedBatch(random: Random): NewJob[] {
  return Array.from({ length: UNLIMITED_JOBS }, () => ({
    ...newKeys(),
    jobType: "plain",
    payload: { workMs: random.below(5) },
  }));
}

/** Longer jobs of one limit key. */
export function makeLimitedBatch(random: Random): NewJob[] {
  const limitKey = `key ${random.below(2)}`;
  return Array.from({ length: LIMITED_JOBS }, () => ({
    ...newKeys(),
    jobType: "long",
    payload: { workMs: 100 + random.below(200) },
    limitKey,
  }));
}

function newKeys() {
  return { jobId: randomUUID(), ownerId: OWNER_ID, idempotencyKey: randomUUID() };
}

/** One to six jobs of random types. The second may depend on the first. */
export function makeMixedBatch(random: Random, threads: readonly string[]): NewJob[] {
  const jobs = Array.from({ length: 1 + random.below(6) }, (): NewJob => {
    const jobType = random.pick(JOB_TYPES) ?? "short";
    return {
      ...newKeys(),
      jobType,
      payload: {
        failures: jobType === "failing" ? random.below(5) : 0,
        workMs: jobType === "long" ? 200 + random.below(600) : random.below(5),
        ...(random.next() < QUARANTINED_SHARE && { quarantined: true }),
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
