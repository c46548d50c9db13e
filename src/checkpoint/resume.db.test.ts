import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestDatabase } from "../../test/database.ts";

const SCRIPT = fileURLToPath(new URL("../../test/killed-run.ts", import.meta.url));
let sql: postgres.Sql;
let url: string;
let drop: () => Promise<void>;

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  sql = postgres(url, { max: 2, onnotice: () => undefined });
  await sql`create table node_runs (name text not null)`;
});
beforeEach(async () => {
  await sql`truncate node_runs, langgraph.checkpoints, langgraph.checkpoint_blobs, langgraph.checkpoint_writes`;
});
afterAll(async () => {
  await sql.end();
  await drop();
});

/** Runs an attempt in its own process; returns its output and the signal that ended it. */
async function attempt(killIn = "") {
  return new Promise<{ printed: string; signal: string | null }>((resolve) => {
    const args = ["--conditions=source", "--import=tsx", SCRIPT, url, killIn];
    execFile(process.execPath, args, (error, printed) => resolve({ printed, signal: error?.signal ?? null }));
  });
}

test.each(["one", "two", "slow", "last"])(
  "a run killed in node %s resumes there: no other node runs again and no message is stored twice",
  async (killIn) => {
    expect((await attempt(killIn)).signal).toBe("SIGKILL");
    expect(await attempt()).toEqual({ printed: "user,one,two,quick,slow,last", signal: null });
    const runs = await sql<{ name: string; times: number }[]>`
      select name, count(*)::int as times from node_runs group by name`;
    const once = { one: 1, two: 1, quick: 1, slow: 1, last: 1 };
    expect(Object.fromEntries(runs.map(({ name, times }) => [name, times]))).toEqual({ ...once, [killIn]: 2 });
  },
);

test("a run killed after its last step returns its result and runs no node", async () => {
  expect((await attempt()).signal).toBeNull();
  expect((await attempt()).printed).toBe("user,one,two,quick,slow,last");
  expect(await sql`select 1 from node_runs`).toHaveLength(5);
});
