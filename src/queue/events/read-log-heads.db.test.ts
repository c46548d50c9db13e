import { setUpQueue } from "../../../test/queue.ts";
import { appendEvents } from "./append-events.ts";
import { readLogHeads } from "./read-log-heads.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a log's head counts the closing event, and unknown jobs are left out", async () => {
  const [ended, open] = await queue.addMany([{}, {}]);
  const job = await queue.takeOne();
  await appendEvents(queue.db.sql, job, { events: [{ type: "token", data: null }], after: 0 });
  await queue.finish(job);
  const unknown = "018f0000-0000-7000-8000-000000000001";
  const heads = await readLogHeads(queue.db.sql, [ended?.jobId ?? "", open?.jobId ?? "", unknown]);
  expect(heads).toEqual(
    new Map([
      [ended?.jobId, 2],
      [open?.jobId, 0],
    ]),
  );
});
