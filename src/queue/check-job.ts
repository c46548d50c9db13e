import { INT32_MAX, INT32_MIN, MAX_BODY_BYTES } from "#shared/limits";
import type { Entry } from "./enqueue-many.ts";
import { InvalidJobError } from "./errors.ts";

/** As `z.guid()` has it, for what is checked by the ten thousand. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MAX_KEY_CHARS = 200;
const MAX_DEPENDENCIES = 1_000;
const MAX_DELAY_MS = 10 * 365 * 86_400_000;

/** @throws InvalidJobError naming the first field that cannot be stored. */
export function checkJobs(entries: readonly Entry[]): void {
  for (const entry of entries) checkJob(entry);
  if (new Set(entries.map((entry) => entry.jobId)).size < entries.length)
    throw new InvalidJobError("jobId must differ between the jobs of a batch");
  if (entries.some((entry) => entry.after !== undefined)) checkCycles(entries);
}

function checkJob(job: Entry): void {
  whole("priority", job.priority, [INT32_MIN, INT32_MAX]);
  whole("maxRetries", job.maxRetries, [0, 100]);
  whole("timeoutMs", job.timeoutMs, [1, INT32_MAX]);
  whole("delayMs", job.delayMs, [0, MAX_DELAY_MS]);
  for (const name of ["ownerId", "jobType", "queue", "idempotencyKey", "uniqueKey", "limitKey"] as const)
    text(name, job[name]);
  for (const name of ["jobId", "threadId", "decisionSetId"] as const) {
    const id = job[name];
    if (id !== undefined && id !== null && !UUID.test(id)) throw new InvalidJobError(`${name} must be a UUID`);
  }
  if (job.runAt !== undefined && Number.isNaN(Date.parse(job.runAt))) {
    throw new InvalidJobError("runAt must be an ISO 8601 time");
  }
  if ((job.after?.length ?? 0) > MAX_DEPENDENCIES)
    throw new InvalidJobError(`after must have at most ${MAX_DEPENDENCIES} ids`);
  for (const id of job.after ?? []) if (!UUID.test(id)) throw new InvalidJobError("after must hold UUIDs of jobs");
  checkPayload(job.payload);
}

/** @throws InvalidJobError when a payload is no JSON, over 1 MiB or holds what PostgreSQL cannot store. */
export function checkPayload(payload: unknown): void {
  const json = JSON.stringify(payload) as string | undefined;
  if (json === undefined) throw new InvalidJobError("payload must be a JSON value");
  if (Buffer.byteLength(json) > MAX_BODY_BYTES) throw new InvalidJobError("payload must have at most 1 MiB as JSON");
  if (json.includes("\\u0000")) throw new InvalidJobError("payload must not contain NUL characters");
}

/** @throws InvalidJobError unless the value is absent or a whole number within the bounds. */
export function whole(name: string, value: number | undefined, [min, max]: readonly [min: number, max: number]): void {
  if (value !== undefined && (!Number.isInteger(value) || value < min || value > max)) {
    throw new InvalidJobError(`${name} must be a whole number from ${min} to ${max}`);
  }
}

function text(name: string, value: string | undefined): void {
  if (value === undefined) return;
  if (value === "" || value.length > MAX_KEY_CHARS)
    throw new InvalidJobError(`${name} must have 1 to ${MAX_KEY_CHARS} characters`);
  if (value.includes("\u0000")) throw new InvalidJobError(`${name} must not contain NUL characters`);
}

/** Jobs that exist cannot depend on new ones, so that a cycle can only lie within the batch. */
function checkCycles(entries: readonly Entry[]): void {
  const after = new Map(entries.map((entry) => [entry.jobId, entry.after ?? []]));
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
