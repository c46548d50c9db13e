import { submitTurn } from "#conversation";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openTurns } from "../../../test/turns.ts";
import { startWorkerProcess } from "../../../test/worker-process.ts";

// The test starts whole processes, some of them one after another.
vi.setConfig({ testTimeout: 180_000 });

const GRAPHS = fileURLToPath(new URL("../../../test/graphs/poison.json", import.meta.url));
const CONTENTS = Array.from({ length: 10 }, (_, n) => (n < 2 ? `poison ${n}` : `innocent ${n}`));
let turns: Awaited<ReturnType<typeof openTurns>>;
beforeAll(async () => {
  turns = await openTurns();
  await turns.db.sql`create table poison_runs (content text not null, pid int not null)`;
  await offerGraphs(turns.db.sql, ["poison"]);
});
afterAll(async () => turns.close());

test("two turns that kill their process do not fail eight innocent turns", async () => {
  const submitted = await Promise.all(
    CONTENTS.map(async (content) =>
      turns.db.transaction(async (tx) => submitTurn(tx, { ownerId: "local", content, graph: "poison" })),
    ),
  );
  const settings = { DATABASE_URL: turns.url, LANGGRAPH_CONFIG: GRAPHS, WORKER_CONCURRENCY: "10" };
  // Restarts workers as a supervisor does, until two deaths have hit all jobs.
  for (let death = 0; death < 2; death += 1) {
    const dying = startWorkerProcess({ ...settings, LOG_LEVEL: "fatal" });
    expect(await dying.ended).toEqual([3, null]);
    const line = JSON.parse(dying.log()) as { code: number; jobs: { jobId: string }[] };
    expect(line).toMatchObject({ code: 3, msg: expect.stringContaining("one of them may have ended it") as string });
    expect(new Set(line.jobs.map(({ jobId }) => jobId))).toEqual(new Set(submitted.map(({ jobId }) => jobId)));
  }
  const last = startWorkerProcess(settings);
  for (const [place, { jobId }] of submitted.entries()) {
    const content = CONTENTS[place] ?? "";
    if (content.startsWith("poison")) {
      expect(await turns.reaches(jobId, "failed")).toMatchObject({
        crashCount: 3,
        retryCount: 0,
        error: "The process died while only this job ran (exit code 3)",
        attempts: expect.arrayContaining([expect.objectContaining({ outcome: "crashed" })]) as unknown,
      });
    } else {
      expect(await turns.reaches(jobId, "completed")).toMatchObject({
        reply: `survived: ${content}`,
        crashCount: 2,
        retryCount: 0,
      });
    }
  }
  // Each innocent job ran once in each of the dead processes, and once alone.
  const runs = await turns.db.sql<{ content: string; times: number }[]>`
    select content, count(*)::int as times from poison_runs where content like 'innocent%' group by content`;
  expect(runs.map(({ times }) => times)).toEqual(Array.from({ length: 8 }, () => 3));
  last.child.kill("SIGTERM");
  expect(await last.ended).toEqual([0, null]);
});
