import { submitTurn } from "#conversation";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { offerGraphs } from "../../../test/offer-graphs.ts";
import { openTurns } from "../../../test/turns.ts";
import { startWorkerProcess } from "../../../test/worker-process.ts";

vi.setConfig({ testTimeout: 120_000 });

const GRAPHS = fileURLToPath(new URL("../../../test/graphs/blocked.json", import.meta.url));
let turns: Awaited<ReturnType<typeof openTurns>>;
beforeAll(async () => {
  turns = await openTurns();
  await offerGraphs(turns.db.sql, ["blocked"]);
});
afterAll(async () => turns.close());

const submit = async (content: string) =>
  turns.db.transaction(async (tx) => {
    const turn = await submitTurn(tx, { ownerId: "local", content, graph: "blocked" });
    await tx`update jobs set max_crashes = 0 where id = ${turn.jobId}`;
    return turn;
  });

test("a process whose event loop is blocked beyond a run's timeout names the run and ends; the next process goes on", async () => {
  const settings = { DATABASE_URL: turns.url, LANGGRAPH_CONFIG: GRAPHS, JOB_TIMEOUT_MS: "1000" };
  const { jobId } = await submit("block");
  const stuck = startWorkerProcess(settings);
  expect(await stuck.ended).toEqual([null, "SIGKILL"]);
  expect(JSON.parse(stuck.log())).toMatchObject({
    level: 60,
    jobs: [{ jobId, jobType: "graph:blocked" }],
    msg: "a run blocks the event loop beyond its timeout: ending the process",
  });
  const next = startWorkerProcess(settings);
  expect(await turns.reaches(jobId, "failed")).toMatchObject({
    retryCount: 0,
    attempts: [{ outcome: "lease_expired" }],
  });
  expect((await turns.reaches((await submit("go on")).jobId, "completed")).reply).toBe("done");
  next.child.kill("SIGTERM");
  expect(await next.ended).toEqual([0, null]);
});

test("the process of a job that runs alone ends with its worker, even when its event loop is blocked", async () => {
  const folder = mkdtempSync(join(tmpdir(), "threadmill-blocked-"));
  const file = join(folder, "pid");
  const { jobId } = await submit("block");
  await turns.db.sql`update jobs set max_crashes = 9, crash_count = 2 where id = ${jobId}`;
  const settings = { DATABASE_URL: turns.url, LANGGRAPH_CONFIG: GRAPHS, BLOCKED_FILE: file };
  const worker = startWorkerProcess(settings);
  const blocked = () => (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0);
  await expect.poll(blocked, { timeout: 60_000 }).toBeGreaterThan(0);
  const pid = blocked();
  expect(pid).not.toBe(worker.child.pid);
  worker.child.kill("SIGKILL");
  await worker.ended;
  await expect.poll(() => isAlive(pid), { timeout: 30_000 }).toBe(false);
  rmSync(folder, { recursive: true });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
