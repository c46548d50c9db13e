import { submitTurn } from "#conversation";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openModel } from "#graph";
import type { ChatModel } from "#graph";
import { startModelServer } from "../../../test/model-server.ts";
import { openTurns } from "../../../test/turns.ts";
import { mlWorkflow } from "./ml-workflow.ts";

let turns: Awaited<ReturnType<typeof openTurns>>;
let server: Awaited<ReturnType<typeof startModelServer>>;

beforeAll(async () => {
  turns = await openTurns();
  // The first attempt's reply cannot be stored: its completion fails.
  await turns.db.sql.unsafe(`
    create function refuse() returns trigger language plpgsql as $$
      begin
        if new.role = 'assistant' and (select attempt = 1 from jobs where id = new.job_id) then
          raise exception 'no reply can be stored';
        end if;
        return new;
      end $$;
    create trigger refuse before insert on messages for each row execute function refuse()`);
});
beforeEach(async () => {
  await turns.clear();
  server = await startModelServer("openai");
  server.behave({ kind: "answer", texts: ["An ", "answer."] });
});
afterEach(async () => {
  await turns.stopWorkers();
  await server.close();
});
afterAll(async () => turns.close());

/** Runs a turn whose first completion fails; returns it with the steps of its second attempt. */
const run = async (model: ChatModel | null) => {
  await turns.startWorker([mlWorkflow({ ...turns.options, model })]);
  const { jobId } = await turns.db.transaction(async (tx) =>
    submitTurn(tx, { ownerId: "local", content: "Predict churn", maxRetries: 1 }),
  );
  const job = await turns.reaches(jobId, "completed");
  expect(job.attempts).toMatchObject([{ errorMessage: "no reply can be stored" }, { outcome: "completed" }]);
  const again = job.events.filter((event) => event.attempt === 2 && event.type === "progress");
  return { job, again: again.map((event) => (event.data as { step: string }).step) };
};
/** The steps of the checkpoints, in the order of their storage. */
const stored = async () =>
  (
    await turns.db.sql<{ step: string }[]>`
    select metadata::jsonb ->> 'step' as step from langgraph.checkpoints order by seq`
  ).map(({ step }) => Number(step));

test("a model's answer is stored before the turn completes: a retry does not ask the model again", async () => {
  const { job, again } = await run(await openModel("openai:m", { openaiBaseUrl: server.url }));
  expect(again).toEqual([]);
  expect(job.reply).toBe("An answer.");
  expect(server.requests).toHaveLength(1);
  expect(await stored()).toEqual([-1, 0, 1, 2, 3]);
});

test("the offline engine repeats the steps that were to be stored with a failed completion", async () => {
  const { job, again } = await run(null);
  // A slow machine may have stored all steps before the completion.
  expect(["compose", undefined]).toContain(again.at(-1));
  expect(job.reply).toContain("churn");
  expect((await stored()).slice(-5)).toEqual([-1, 0, 1, 2, 3]);
});
