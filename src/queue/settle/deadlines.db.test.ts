import { answer, readAnswers } from "#conversation";
import { openQueue } from "../../../test/queue.ts";
import type { ClaimedJob } from "../claimed-job.ts";
import { JobConflictError } from "../errors.ts";
import { survey } from "../read/survey.ts";
import { expireInterrupts } from "./expire-interrupts.ts";
import { park } from "./park.ts";
import type { NewInterrupt } from "./park.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

let queue: Awaited<ReturnType<typeof openQueue>>;

beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => queue.clear());
afterAll(async () => queue.close());

const AN_HOUR_MS = 3_600_000;
const ask = (id: string, more: Partial<NewInterrupt> = {}): NewInterrupt => ({
  id,
  kind: "approval",
  value: id,
  schema: null,
  deadlineMs: AN_HOUR_MS,
  ...more,
});
const STRICT = ask("strict");
const MILD = ask("mild", { default: "by default" });
const OTHER = ask("other", { deadlineMs: null });

const parkIt = async (job: ClaimedJob, ...asked: NewInterrupt[]) =>
  queue.db.transaction(async (tx) => park(tx, job, asked));
const reply = async (jobId: string, interruptId: string, answers: unknown = "by a person") =>
  queue.db.transaction(async (tx) => answer(tx, { ownerId: queue.ownerId, jobId, interruptId, answers }));
const expire = async () => queue.db.transaction(expireInterrupts);
/** Lets the deadlines of all that is asked have passed by two hours. */
const passDeadlines = async () =>
  queue.db.sql`update job_interrupts set deadline_at = deadline_at - interval '3 hours' where deadline_at is not null`;
/** A job that waits for the answers. */
const waiting = async (...asked: NewInterrupt[]) => {
  const { jobId } = await queue.add();
  await parkIt(await queue.takeOne(), ...asked);
  return jobId;
};
const answersOf = async (jobId: string) => Object.fromEntries(await readAnswers(queue.db.sql, jobId));
/** How long until the keeper has a deadline to act on. */
const dueMs = async () => (await survey(queue.db.sql)).answerMs;

test("a default that comes while the job runs on with another's answer lets it go on once it asks again", async () => {
  const jobId = await waiting(OTHER, MILD);
  await reply(jobId, "other");
  const running = await queue.takeOne();
  await passDeadlines();
  expect(await dueMs()).toBeLessThan(0);
  const { events: before } = await queue.read(jobId);
  expect(await expire()).toBe(1);
  expect([await expire(), await dueMs()]).toEqual([0, null]);
  // The log of a job that runs is its worker's to write.
  expect(await queue.read(jobId)).toMatchObject({ status: "running", events: before });
  expect(await parkIt(running, MILD)).toBe("queued");
  expect(await answersOf(jobId)).toEqual({ other: "by a person", mild: "by default" });
  await expect(reply(jobId, "mild")).rejects.toThrow(JobConflictError);
  await queue.finish(await queue.takeOne());
  const { events } = await queue.read(jobId);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
});

test("a default that comes before the answered job is claimed is taken by the same attempt", async () => {
  const jobId = await waiting(OTHER, MILD);
  await reply(jobId, "other");
  await passDeadlines();
  expect(await expire()).toBe(1);
  const { attempt } = await queue.takeOne();
  expect([attempt, await queue.take()]).toEqual([2, []]);
  expect(await answersOf(jobId)).toEqual({ other: "by a person", mild: "by default" });
});

test("what fails a job at its deadline does not while that runs on, and does once it still asks", async () => {
  const jobId = await waiting(OTHER, STRICT);
  const deadline = (await queue.read(jobId)).interrupts.find((one) => one.id === "strict")?.deadlineAt;
  await reply(jobId, "other");
  await passDeadlines();
  const passed = new Date(Date.parse(deadline ?? "") - 3 * AN_HOUR_MS).toISOString();
  // Queued or running, it is nothing to look at again and again.
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

test("a run that asks no more completes, whatever deadline has passed", async () => {
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

test("a job that goes on by default says so in its log, as one that was answered does", async () => {
  const jobId = await waiting(MILD);
  await passDeadlines();
  expect(await expire()).toBe(1);
  const { status, events } = await queue.read(jobId);
  expect(status).toBe("queued");
  expect(events.at(-1)).toMatchObject({ type: "answered", data: { interruptIds: ["mild"], byDefault: true } });
});

test("an answer after the deadline counts until that was acted on", async () => {
  const jobId = await waiting(STRICT);
  await passDeadlines();
  expect(await reply(jobId, "strict")).toBe("queued");
  expect([await dueMs(), await expire()]).toEqual([null, 0]);
  expect(await answersOf(jobId)).toEqual({ strict: "by a person" });
});

test.each([
  ["fails the job", STRICT],
  ["is the default's", MILD],
])(
  "of an answer and a deadline that %s at the same moment, one counts and the other changes nothing",
  async (_name, asked) => {
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
  },
);
