import { holdsLease, LeaseLostError } from "#queue";
import type { ClaimedJob } from "#queue";
import { EVENTS_CHANNEL } from "#queue/events";
import { complete } from "#queue/settle";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { FencedSaver } from "#checkpoint";
import type { Piggyback } from "#checkpoint";
import { Listener } from "#db";
import { MAX_EVENT_BYTES } from "#shared/limits";
import { checkpoint, config, metadata } from "../../../test/savers.ts";
import { deferred } from "../../../test/deferred.ts";
import { openQueue } from "../../../test/queue.ts";
import { EventWriter } from "./event-writer.ts";
import { openSaver } from "../jobs/turn-job.ts";
import { AttemptRun } from "./attempt-run.ts";
import type { RunEnvironment } from "./attempt-run.ts";

let queue: Awaited<ReturnType<typeof openQueue>>;
let job: ClaimedJob;
let lost: LeaseLostError | undefined;
let writer: EventWriter;

beforeAll(async () => {
  queue = await openQueue();
});
beforeEach(async () => {
  await queue.clear();
  await queue.db.sql`truncate langgraph.checkpoints, langgraph.checkpoint_blobs, langgraph.checkpoint_writes`;
  await queue.add();
  job = await queue.takeOne();
  lost = undefined;
  writer = open();
});
afterAll(async () => queue.close());

const open = () =>
  new EventWriter({
    db: queue.db,
    job,
    log: pino({ level: "silent" }),
    persist: (work) => work(),
    onLost: (error) => void (lost = error),
  });
/** The log's notes as `seq:text`. */
const log = async () =>
  (await queue.read(job.jobId)).events
    .filter((event) => event.type === "note")
    .map((event) => `${event.seq}:${(event.data as { text: string }).text}`);
const note = (text: string) => writer.add("note", { text });
/** Stores a checkpoint; its statement carries the result of `piggyback`. */
const store = async (piggyback: () => Piggyback | undefined = () => writer.piggyback()) =>
  new FencedSaver({
    call: async (work) => work(queue.db.sql),
    fence: {
      holds: (sql) => holdsLease(sql, job),
      lost: () => new LeaseLostError(job.jobId, job.attempt),
      piggyback,
    },
  }).put(config(), checkpoint({}), metadata, {});
const checkpoints = async () => (await queue.db.sql`select 1 from langgraph.checkpoints`).length;
/** Sends the parts in a separate statement. */
const send = async ({ parts }: Piggyback) =>
  (await queue.db.sql`with ${parts(queue.db.sql)} select 1 from owner`).length > 0;

test("the saver of a worker's run carries the run's waiting events", async () => {
  const run = new AttemptRun(job, { db: queue.db, log: pino({ level: "silent" }) } as RunEnvironment);
  const saver = openSaver(run, { db: queue.db, isFresh: true });
  run.emit("note", { text: "one" });
  const piggyback = vi.spyOn(run.eventWriter!, "piggyback");
  await saver.put(config(), checkpoint({}), metadata, {});
  expect(piggyback).toHaveBeenCalledOnce();
  await run.eventWriter?.close();
  expect(await log()).toEqual(["2:one"]);
});

test("events go out with the statement of a checkpoint, in order and without gaps, and readers are notified", async () => {
  const heard = deferred();
  const listening = deferred();
  const listener = new Listener({
    url: queue.url,
    channels: { [EVENTS_CHANNEL]: (payload) => (payload === job.jobId ? heard.resolve() : listening.resolve()) },
  });
  await listener.start();
  await listening.promise;
  note("one");
  writer.report({ step: "plan" });
  await store();
  expect(await checkpoints()).toBe(1);
  expect(await log()).toEqual(["2:one"]);
  expect(await queue.read(job.jobId)).toMatchObject({ progress: { step: "plan" } });
  await heard.promise;
  note("two");
  await writer.close();
  expect(await log()).toEqual(["2:one", "4:two"]);
  expect(writer.piggyback()).toBeUndefined();
  await listener.stop();
});

test("events whose statement committed without an answer are stored once, and none is lost", async () => {
  note("one");
  const second = writer.piggyback()!;
  expect(writer.piggyback()).toBeUndefined();
  expect(await send(second)).toBe(true);
  note("two");
  second.settle(false);
  await writer.close();
  expect(await log()).toEqual(["2:one", "3:two"]);
});

test("a checkpoint is stored although its piggybacked events were written before", async () => {
  note("one");
  const first = writer.piggyback()!;
  await send(first);
  first.settle(false);
  // Sends the same events again, which the log already has.
  await store();
  expect(await checkpoints()).toBe(1);
  await writer.close();
  expect(await log()).toEqual(["2:one"]);
});

test("after a lost lease, neither the checkpoint nor the events are written", async () => {
  await queue.expire(job.jobId);
  note("one");
  await expect(store()).rejects.toThrow(LeaseLostError);
  await writer.close();
  expect(lost).toBeInstanceOf(LeaseLostError);
  expect(await checkpoints()).toBe(0);
  expect(await log()).toEqual([]);
});

test("after a failed statement, another statement writes its events", async () => {
  note("one");
  const piggyback = writer.piggyback()!;
  const failing = store(() => ({ ...piggyback, parts: (sql) => sql`owner as (select 1 / 0)` }));
  await expect(failing).rejects.toThrow(/division by zero/);
  await writer.close();
  expect(await log()).toEqual(["2:one"]);
});

test("the last events are written in the transaction that completes the job", async () => {
  note("one");
  writer.seal();
  note("too late");
  // A handler may still store checkpoints after its end.
  expect(writer.piggyback()).toBeUndefined();
  const last = await writer.takeRest();
  await queue.db.transaction(async (tx) => complete(tx, job, { last }));
  writer.confirmRest();
  await writer.close();
  expect(lost).toBeUndefined();
  const { status, events } = await queue.read(job.jobId);
  expect(status).toBe("completed");
  expect(events.map((event) => `${event.seq}:${event.type}`)).toEqual(["1:started", "2:note", "3:completed"]);
});

test("a completion with last events recognises its lost answer, and its rollback leaves the events to `close`", async () => {
  note("one");
  writer.seal();
  const last = await writer.takeRest();
  const undone = queue.db.transaction(async (tx) => {
    await complete(tx, job, { last });
    throw new Error("undone");
  });
  await expect(undone).rejects.toThrow("undone");
  expect(await log()).toEqual([]);
  expect(await queue.db.transaction(async (tx) => complete(tx, job, { last }))).toBe(true);
  expect(await queue.db.transaction(async (tx) => complete(tx, job, { last }))).toBe(false);
  expect(await log()).toEqual(["2:one"]);
  // The writer cannot know of that commit: the log's last number shows it.
  await writer.close();
  expect(await log()).toEqual(["2:one"]);
});

test("events in flight at the end of the run precede the last events", async () => {
  note("one");
  const first = writer.piggyback()!;
  first.settle(await send(first));
  note("two");
  // Synchronously: after 40 ms the writer would send it alone.
  const second = writer.piggyback()!;
  note("three");
  writer.seal();
  const rest = writer.takeRest();
  await send(second);
  second.settle(true);
  const last = await rest;
  await queue.db.transaction(async (tx) => complete(tx, job, { last }));
  expect(await log()).toEqual(["2:one", "3:two", "4:three"]);
});

test("an event with too much data becomes a note of its size, and such a step keeps only its name", async () => {
  writer.add("note", "x".repeat(MAX_EVENT_BYTES - 2));
  writer.add("note", "é".repeat(MAX_EVENT_BYTES / 2));
  writer.report({ step: "s".repeat(500), detail: "x".repeat(MAX_EVENT_BYTES) });
  await writer.close();
  const { events, progress } = await queue.read(job.jobId);
  const tooLarge = (bytes: number) => ({ note: `The data had ${bytes} bytes as JSON: the most is ${MAX_EVENT_BYTES}` });
  const overhead = JSON.stringify({ step: "", detail: "" }).length;
  expect(events.slice(1).map(({ data }) => data)).toEqual([
    "x".repeat(MAX_EVENT_BYTES - 2),
    tooLarge(MAX_EVENT_BYTES + 2),
    tooLarge(MAX_EVENT_BYTES + 500 + overhead),
  ]);
  expect(progress).toEqual({ step: "s".repeat(200) });
});

test("merged tokens stay within the size of an event, and no token is lost", async () => {
  const piece = "x".repeat(20_000);
  for (let count = 0; count < 30; count += 1) writer.add("token", { text: piece, step: "reply" });
  await writer.close();
  const texts = (await queue.read(job.jobId)).events.slice(1).map(({ data }) => (data as { text: string }).text);
  expect(texts.join("")).toBe(piece.repeat(30));
  expect(Math.max(...texts.map((text) => text.length))).toBeLessThan(MAX_EVENT_BYTES);
});
