import { InvalidJobError } from "./errors.ts";
import type { Entry } from "./new-job.ts";
import { z } from "zod";
import { INT32_MAX, INT32_MIN, MAX_BODY_BYTES } from "#shared/limits";

/** The pattern of `z.guid()`, without zod's cost: batches check ten thousand ids. */
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const isoTime = z.iso.datetime({ offset: true });
const MAX_KEY_CHARS = 200;
const MAX_DEPENDENCIES = 1_000;
/** The longest delay of a job, in milliseconds: ten years. */
export const MAX_DELAY_MS = 10 * 365 * 86_400_000;

/**
 * Checks that the jobs of a batch can be stored together.
 * @throws InvalidJobError when two have the same id, or their dependencies form a cycle.
 */
export function checkBatch(entries: readonly Entry[]): void {
  if (new Set(entries.map((entry) => entry.jobId)).size < entries.length)
    throw new InvalidJobError("jobId must differ between the jobs of a batch");
  if (entries.some((entry) => entry.after !== undefined)) checkCycles(entries);
}

/**
 * Checks a job's fields and returns its payload as JSON text.
 * @throws InvalidJobError naming the first field that is out of range.
 */
export function checkJob(job: Entry): string {
  checkWhole("priority", job.priority, [INT32_MIN, INT32_MAX]);
  checkWhole("maxRetries", job.maxRetries, [0, 100]);
  checkWhole("maxCrashes", job.maxCrashes, [0, 100]);
  checkWhole("timeoutMs", job.timeoutMs, [1, INT32_MAX]);
  checkWhole("delayMs", job.delayMs, [0, MAX_DELAY_MS]);
  for (const name of ["ownerId", "jobType", "queue", "idempotencyKey", "uniqueKey", "limitKey"] as const)
    if (job[name] !== undefined) checkText(name, job[name]);
  for (const name of ["jobId", "threadId", "decisionSetId"] as const) {
    const id = job[name];
    if (id !== undefined && id !== null && !UUID.test(id)) throw new InvalidJobError(`${name} must be a UUID`);
  }
  if (job.runAt !== undefined && !(isoTime.safeParse(job.runAt).success && Date.parse(job.runAt) > 0)) {
    throw new InvalidJobError("runAt must be an ISO 8601 time with its offset, such as 2030-01-31T08:00:00Z");
  }
  if ((job.after?.length ?? 0) > MAX_DEPENDENCIES)
    throw new InvalidJobError(`after must have at most ${MAX_DEPENDENCIES} ids`);
  for (const id of job.after ?? []) if (!UUID.test(id)) throw new InvalidJobError("after must hold UUIDs of jobs");
  return checkPayload(job.payload);
}

/**
 * A payload as JSON text.
 * @throws InvalidJobError when it is not JSON, is over 1 MiB, or holds text that PostgreSQL cannot store.
 */
export function checkPayload(payload: unknown): string {
  const json = toStorableJson("payload", payload);
  if (Buffer.byteLength(json) > MAX_BODY_BYTES) throw new InvalidJobError("payload must have at most 1 MiB as JSON");
  return json;
}

/** JSON.stringify escapes NUL and lone surrogates, which jsonb refuses. After an escaped backslash the escape is plain text. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(0000|d[89a-f][0-9a-f]{2})/;

/**
 * A value as the JSON text that a jsonb column takes.
 * @throws InvalidJobError naming the value when it is not JSON, is nested too deeply, or holds NUL or a lone surrogate.
 */
export function toStorableJson(name: string, value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new InvalidJobError(`${name} must be a JSON value`, { cause: error });
  }
  if (json === undefined) throw new InvalidJobError(`${name} must be a JSON value`);
  const escape = json.includes("\\u") ? UNSTORABLE.exec(json)?.[1] : undefined;
  if (escape === "0000") throw new InvalidJobError(`${name} must not contain NUL characters`);
  if (escape !== undefined) throw new InvalidJobError(`${name} must be well-formed Unicode`);
  return json;
}

/** @throws InvalidJobError unless the value is absent or a whole number within the bounds. */
export function checkWhole(
  name: string,
  value: number | undefined,
  [min, max]: readonly [min: number, max: number],
): void {
  if (value !== undefined && (!Number.isInteger(value) || value < min || value > max)) {
    throw new InvalidJobError(`${name} must be a whole number from ${min} to ${max}`);
  }
}

/** @throws InvalidJobError unless the text has 1 to 200 characters that PostgreSQL can store. */
function checkText(name: string, value: string): void {
  const fault = textFault(name, value);
  if (fault !== undefined) throw new InvalidJobError(fault);
}

/** The reason why a name or a key cannot be stored, as a sentence; undefined when it can be. */
export function textFault(name: string, value: string): string | undefined {
  if (value === "" || value.length > MAX_KEY_CHARS) return `${name} must have 1 to ${MAX_KEY_CHARS} characters`;
  if (value.includes("\u0000")) return `${name} must not contain NUL characters`;
  return /\p{Surrogate}/u.test(value) ? `${name} must be well-formed Unicode` : undefined;
}

/**
 * Stored jobs cannot depend on new jobs, so a cycle lies within the batch. A job also depends on the preceding job of its
 * thread.
 * @throws InvalidJobError naming a job of the cycle.
 */
function checkCycles(entries: readonly Entry[]): void {
  const last = new Map<string, string>();
  const after = new Map(
    entries.map(({ jobId, threadId, after: named = [] }) => {
      const before = threadId ? last.get(threadId) : undefined;
      if (threadId) last.set(threadId, jobId);
      return [jobId, before === undefined ? named : [...named, before]];
    }),
  );
  const visited = new Map<string, "open" | "done">();
  for (const start of after.keys()) {
    const path = [{ id: start, rest: [...(after.get(start) ?? [])] }];
    if (visited.has(start)) continue;
    visited.set(start, "open");
    for (let step = path.at(-1); step; step = path.at(-1)) {
      const next = step.rest.pop();
      if (next === undefined) {
        visited.set(step.id, "done");
        path.pop();
      } else if (visited.get(next) === "open") {
        throw new InvalidJobError(`after must not form a cycle: job ${next} would wait for itself`);
      } else if (after.has(next) && !visited.has(next)) {
        visited.set(next, "open");
        path.push({ id: next, rest: [...(after.get(next) ?? [])] });
      }
    }
  }
}
