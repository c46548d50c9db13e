import { complete } from "#queue/settle";
import { setUpQueue } from "../../test/queue.ts";
import { getTurn, getTurnStatus, getTurnStatuses } from "./get-turn.ts";
import { recordTurn } from "./record-turn.ts";
import { submitTurn } from "./submit-turn.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

test("the reply of a turn is null until the turn has been recorded", async () => {
  const { jobId, decisionSetId } = await queue.inTx(async (tx) =>
    submitTurn(tx, { ownerId: queue.ownerId, content: "hello" }),
  );
  const job = await queue.takeOne();
  expect((await getTurnStatus(queue.db.sql, queue.keyOf(jobId))).reply).toBeNull();
  await queue.inTx(async (tx) => {
    await complete(tx, job);
    await recordTurn(tx, job, { decisionSetId, reply: "hi", checkpointId: null, version: null });
  });
  expect((await getTurn(queue.db.sql, queue.keyOf(jobId))).reply).toBe("hi");
  const stranger = { ownerId: "other", jobId };
  expect(await getTurnStatuses(queue.db.sql, [stranger, queue.keyOf(jobId)])).toMatchObject([null, { reply: "hi" }]);
});
