import { setUpQueue } from "../../../test/queue.ts";
import { readTrace } from "./read-trace.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("a job's trace context is read by its owner only, and is empty without one", async () => {
  const traceContext = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  const [traced, plain] = await queue.addMany([{ traceContext }, {}]);
  expect(await readTrace(queue.db.sql, queue.keyOf(traced?.jobId))).toEqual(traceContext);
  expect(await readTrace(queue.db.sql, { ownerId: "other", jobId: traced?.jobId ?? "" })).toEqual({});
  expect(await readTrace(queue.db.sql, queue.keyOf(plain?.jobId))).toEqual({});
});
