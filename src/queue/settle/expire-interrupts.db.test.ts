import { answer, readAnswers } from "#conversation";
import { HOUR_MS, setUpQueue } from "../../../test/queue.ts";
import type { ClaimedJob } from "../claimed-job.ts";
import { JobConflictError } from "../errors.ts";
import { survey } from "../read/survey.ts";
import { expireInterrupts } from "./expire-interrupts.ts";
import { park } from "./park.ts";
import type { NewInterrupt } from "./park.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const ask = (id: string, more: Partial<NewInterrupt> = {}): NewInterrupt => ({
  id,
  kind: "approval",
  value: id,
  schema: null,
  deadlineMs: HOUR_MS,
  ...more,
});
/** Fails its job at the deadline. */
const STRICT = ask("strict");
/** Is answered by default at the deadline. */
const MILD = ask("mild", { default: "by default" });
const OTHER = ask("other", { deadlineMs: null });

const parkIt = async (job: ClaimedJob, ...asked: NewInterrupt[]) => queue.inTx(async (tx) => park(tx, job, asked));
const reply = async (jobId: string, interruptId: string, answers: unknown = "by a person") =>
  queue.inTx(async (tx) => answer(tx, { ...queue.keyOf(jobId), interruptId, answers }));
const expire = async () => queue.inTx(expireInterrupts);
/** Moves every deadline to two hours ago. */
const passDeadlines = async () =>
  queue.db.sql`update job_interrupts set deadline_at = deadline_at - interval '3 hours' where deadline_at is not null`;
/** Adds a job that waits for the answers. */
const waiting = async (...asked: NewInterrupt[]) => {
  const { jobId } = await queue.add();
  await parkIt(await queue.takeOne(), ...asked);
  return jobId;
};
const answersOf = async (jobId: string) => Object.fromEntries(await readAnswers(queue.db.sql, jobId));
/** The time until the next deadline to act on, in milliseconds. */
const dueMs = async () => (await survey(queue.db.sql)).answerMs;

test("at its deadline a question gets its default as the answer, and the job's log says so", async () => {
  const jobId = await waiting(MILD);
  await passDeadlines();
  expect(await expire()).toBe(1);
  const { status, events } = await queue.read(jobId);
  expect(status).toBe("queued");
  expect(events.at(-1)).toMatchObject({ type: "answered", data: { interruptIds: ["mild"], byDefault: true } });
});

test("a default given while the job runs with another answer queues the job when it asks again", async () => {
  const jobId = await waiting(OTHER, MILD);
  await reply(jobId, "other");
  const running = await queue.takeOne();
  await passDeadlines();
  expect(await dueMs()).toBeLessThan(0);
  const { events: before } = await queue.read(jobId);
  expect(await expire()).toBe(1);
  expect([await expire(), await dueMs()]).toEqual([0, null]);
  // Only its worker writes a running job's log.
  expect(await queue.read(jobId)).toMatchObject({ status: "running", events: before });
  expect(await parkIt(running, MILD)).toBe("queued");
  expect(await answersOf(jobId)).toEqual({ other: "by a person", mild: "by default" });
  await expect(reply(jobId, "mild")).rejects.toThrow(JobConflictError);
  await queue.finish(await queue.takeOne());
  const { events } = await queue.read(jobId);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
});

test("a default given before the answered job is claimed reaches the same attempt", async () => {
  const jobId = await waiting(OTHER, MILD);
  await reply(jobId, "other");
  await passDeadlines();
  expect(await expire()).toBe(1);
  const { attempt } = await queue.takeOne();
  expect([attempt, await queue.take()]).toEqual([2, []]);
  expect(await answersOf(jobId)).toEqual({ other: "by a person", mild: "by default" });
});

test("a question without a default fails its job at the deadline, but not while the job is queued or runs", async () => {
  const jobId = await waiting(OTHER, STRICT);
  const deadline = (await queue.read(jobId)).interrupts.find((one) => one.id === "strict")?.deadlineAt;
  await reply(jobId, "other");
  await passDeadlines();
  const passed = new Date(Date.parse(deadline ?? "") - 3 * HOUR_MS).toISOString();
  // While the job is queued or runs, the deadline is not due.
  expect([await dueMs(), await expire()]).toEqual([null, 0]);
  const running = await queue.takeOne();
  expect([await dueMs(), await expire()]).toEqual([null, 0]);
  expect(await queue.read(jobId)).toMatchObject({ status: "running", interrupts: [{ deadlineAt: passed }] });
  expect(await parkIt(running, STRICT)).toBe("waiting");
  expect(await dueMs()).toBeLessThan(0);
  expect(await expire()).toBe(1);
  const said = `${passed.slice(0, 10)} ${passed.slice(11, 19)} UTC`;
  expect(await queue.read(jobId)).toMatchObject({
    status: "failed",
    error: `Nobody answered the approval before its deadline, ${said}`,
    interrupts: [],
  });
});

test("a run that no longer asks completes, whatever deadline has passed", async () => {
  const jobId = await waiting(OTHER, STRICT);
  await reply(jobId, "other");
  const running = await queue.takeOne();
  await passDeadlines();
  await expire();
  await queue.finish(running);
  expect(await expire()).toBe(1);
  expect(await queue.read(jobId)).toMatchObject({ status: "completed", interrupts: [] });
  expect(await dueMs()).toBeNull();
});

test("an answer after the deadline counts as long as the deadline was not acted on", async () => {
  const jobId = await waiting(STRICT);
  await passDeadlines();
  expect(await reply(jobId, "strict")).toBe("queued");
  expect([await dueMs(), await expire()]).toEqual([null, 0]);
  expect(await answersOf(jobId)).toEqual({ strict: "by a person" });
});

test.each([
  ["fails the job", STRICT],
  ["is the default's", MILD],
])("of an answer and a deadline that %s at the same moment, exactly one counts", async (_name, asked) => {
  for (let round = 0; round < 15; round += 1) {
    await queue.clear();
    const jobId = await waiting(asked);
    await passDeadlines();
    const both = round % 2 === 0 ? [reply(jobId, asked.id), expire()] : [expire(), reply(jobId, asked.id)];
    const [answered, expired] = await Promise.allSettled(round % 2 === 0 ? both : both.toReversed());
    const { status, events } = await queue.read(jobId);
    const byPerson = answered?.status === "fulfilled";
    expect(expired).toEqual({ status: "fulfilled", value: byPerson ? 0 : 1 });
    const given = asked === MILD ? { mild: "by default" } : {};
    expect(await answersOf(jobId)).toEqual(byPerson ? { [asked.id]: "by a person" } : given);
    expect(status).toBe(byPerson || asked === MILD ? "queued" : "failed");
    expect(events.filter(({ type }) => type === "answered")).toHaveLength(status === "queued" ? 1 : 0);
  }
});
