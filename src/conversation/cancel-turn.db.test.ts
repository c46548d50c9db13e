import { setUpQueue } from "../../test/queue.ts";
import { cancelTurn } from "./cancel-turn.ts";
import type { NewTurn } from "./new-turn.ts";
import { submitTurn } from "./submit-turn.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();
const submit = async (turn: Partial<NewTurn> = {}) =>
  queue.inTx(async (tx) => submitTurn(tx, { ownerId: queue.ownerId, content: "hello", ...turn }));
const stop = async (jobId: string) => queue.inTx(async (tx) => cancelTurn(tx, queue.keyOf(jobId)));
const branchOf = async (jobId: string) => (await queue.read(jobId)).payload as { branch?: unknown };

test("the turn after a cancelled branch that never ran begins where the branch would have", async () => {
  const first = await submit();
  await queue.finish(await queue.takeOne());
  const [message] = await queue.db.sql<{ id: string }[]>`select id from messages`;
  const edited = await submit({ threadId: first.threadId, parentId: message?.id });
  const next = await submit({ threadId: first.threadId });
  expect(await branchOf(next.jobId)).not.toHaveProperty("branch");
  expect(await stop(edited.jobId)).toBe("cancelled");
  expect(await branchOf(next.jobId)).toMatchObject({ branch: { checkpointId: null } });
});

test("a running turn is asked to stop and keeps its branch", async () => {
  const first = await submit();
  const [message] = await queue.db.sql<{ id: string }[]>`select id from messages`;
  await queue.finish(await queue.takeOne());
  const edited = await submit({ threadId: first.threadId, parentId: message?.id });
  const next = await submit({ threadId: first.threadId });
  await queue.takeOne();
  expect(await stop(edited.jobId)).toBe("running");
  expect(await branchOf(next.jobId)).not.toHaveProperty("branch");
});
