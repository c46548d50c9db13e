import postgres from "postgres";
import { INDEXED_PLANS } from "#db";
import { setUpQueue } from "../../../test/queue.ts";
import { heartbeat } from "../fleet/heartbeat.ts";
import { prune } from "../operate/prune.ts";
import { promote } from "../ready/promote.ts";
import { completeMany } from "../settle/complete-many.ts";
import { claim } from "./claim.ts";
import { completeAndClaim } from "./complete-and-claim.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

/*
 * A claim must read one index, whatever the table holds and whatever the planner knows of it. A plan that scans or
 * sorts the table costs a hundred times as much.
 */
const queue = setUpQueue(2);
let sql: postgres.Sql;
const plans: string[] = [];
beforeAll(async () => {
  sql = postgres(queue.url, {
    max: 1,
    onnotice: ({ message }) => void plans.push(String(message)),
    connection: { client_min_messages: "log", jit: "off", ...INDEXED_PLANS },
  });
  await sql`load 'auto_explain'`;
  await sql`select set_config('auto_explain.log_min_duration', '0', false), set_config('auto_explain.log_analyze', 'on', false),
    set_config('auto_explain.log_timing', 'off', false)`;
});
afterAll(async () => sql.end());

const rows = async (count: number, columns: string) =>
  queue.db.sql.unsafe(`
    insert into queues (name) values ('default') on conflict do nothing;
    insert into jobs (id, owner_id, job_type, payload, status, hold, priority, thread_id, completed_at, run_at)
    select gen_random_uuid(), 'local', 't', '{}', ${columns} from generate_series(1, ${count}) as n`);

/** Sets the statistics that a vacuum of the empty table would leave: the planner then expects no rows. */
const vacuumedEmpty = async () =>
  queue.db.sql`update pg_class set reltuples = 0, relpages = 5 where oid = 'jobs'::regclass`;

const contents: [string, () => Promise<unknown>][] = [
  ["nothing", async () => rows(0, "'queued', null, 0, null, null, now()")],
  ["20,000 finished", async () => rows(20_000, "'completed', null, 0, null, now(), now()")],
  [
    "20,000 scheduled at a high priority",
    async () => rows(20_000, "'queued', 'time', 9, null, null, now() + interval '1 day'"),
  ],
  [
    "20,000 behind their threads' heads",
    async () => rows(20_000, "'queued', 'thread', 0, gen_random_uuid(), null, now()"),
  ],
  ["20,000 ready", async () => rows(20_000, "'queued', null, 0, null, null, now()")],
  [
    "20,000 ready in a table that was vacuumed while it was empty",
    async () => {
      await rows(20_000, "'queued', null, 0, null, null, now()");
      await vacuumedEmpty();
    },
  ],
  [
    "20,000 ready at random priorities",
    async () => rows(20_000, "'queued', null, (random() * 5)::int, null, null, now()"),
  ],
];

const expectOneIndex = (plan = "") => {
  expect(plan).toContain("idx_jobs_queue_claim");
  expect(plan).not.toMatch(/Seq Scan on jobs|Bitmap|Sort Key: jobs/);
  for (const [, index] of plan.matchAll(/using (\w+) on jobs/g))
    expect(["idx_jobs_queue_claim", "jobs_pkey"], plan).toContain(index);
  const read = [...plan.matchAll(/on jobs.*actual rows=([\d.]+) loops=(\d+)/g)].map(
    ([, count, loops]) => Number(count) * Number(loops),
  );
  expect(read.length).toBeGreaterThan(3);
  expect(Math.max(...read), plan).toBeLessThanOrEqual(10);
  expect(plan).not.toMatch(/Rows Removed by Filter: \d{3,}/);
};

for (const analyzed of [true, false]) {
  test.each(contents)(
    `with %s${analyzed ? "" : ", never analyzed"} a claim reads the claim index only, and few rows`,
    async (_name, fill) => {
      await fill();
      await queue.addMany(Array.from({ length: 10 }, () => ({ priority: 10 })));
      if (analyzed) await queue.db.sql`analyze jobs`;
      plans.length = 0;
      const first = await claim(sql, { workerId: "w", limit: 5, leaseMs: 30_000 });
      expect(first.jobs).toHaveLength(5);
      expectOneIndex(plans.find((text) => text.includes("with recursive heads")));
      const { jobs } = await claim(sql, { workerId: "w", limit: 5, leaseMs: 30_000, line: first.line });
      expect(jobs).toHaveLength(5);
      expectOneIndex(plans.find((text) => /with\s+state/.test(text)));
      if (!first.line) return;
      plans.length = 0;
      const ended = first.jobs.map((job) => ({ claim: job, result: null }));
      const both = await completeAndClaim(sql, ended, { workerId: "w", limit: 5, leaseMs: 30_000, line: first.line });
      expect(both.left).toEqual([]);
      expectOneIndex(plans.find((text) => text.includes("as done")));
    },
  );
}

test.each([
  ["analyzed", async () => queue.db.sql`analyze jobs`],
  ["vacuumed while it was empty", vacuumedEmpty],
])(
  "completions and heartbeats look up each job by its id, also with many running jobs and a generic plan: %s",
  async (_name, settle) => {
    await rows(3_000, "'queued', null, 0, null, null, now()");
    const { jobs } = await claim(sql, { workerId: "w", limit: 2_000, leaseMs: 60_000 });
    await settle();
    plans.length = 0;
    // From its sixth execution on, a prepared statement may get a generic plan.
    for (let round = 0; round < 8; round += 1) {
      const some = jobs.slice(round * 100, round * 100 + 100);
      expect((await heartbeat(sql, some, 60_000)).kept.size).toBe(100);
      const ended = some.map((one) => ({ claim: one, result: null }));
      expect(await completeMany(sql, ended)).toEqual([]);
    }
    const updates = plans.filter((plan) => plan.includes("Update on jobs"));
    expect(updates).toHaveLength(16);
    for (const plan of updates) {
      expect(plan).toMatch(/Index Scan using jobs_pkey.*\n\s+Index Cond: \(id = /);
      expect(plan).not.toContain("idx_jobs_lease_expiry");
    }
  },
);

test("a prune finds the jobs that ended long ago by their index and does not scan the table", async () => {
  await rows(20_000, "'completed', null, 0, null, now() - interval '1 hour', now()");
  await queue.db.sql`vacuum analyze jobs`;
  await rows(20_000, "'completed', null, 0, null, now(), now()");
  await queue.db.sql`select brin_summarize_new_values('idx_jobs_completed_at')`;
  await queue.db.sql`analyze jobs`;
  plans.length = 0;
  expect(await sql.begin(async (tx) => prune(tx, { completedMs: 60_000, failedMs: 60_000 }, 10))).toBe(10);
  const plan = plans.find((text) => text.includes("Delete on jobs")) ?? "";
  expect(plan).toContain("idx_jobs_completed_at");
  expect(plan).not.toMatch(/Seq Scan on jobs|Rows Removed by Filter: \d{4,}/);
});

test("a promotion reads the due jobs only, whatever is scheduled for later", async () => {
  await rows(20_000, "'queued', 'time', 0, null, null, now() + interval '1 day'");
  await queue.addMany(Array.from({ length: 5 }, () => ({ delayMs: 1 })));
  await queue.db.sql`update jobs set run_at = now() - interval '1 second' where run_at < now() + interval '1 hour'`;
  await queue.db.sql`analyze jobs`;
  plans.length = 0;
  expect(await sql.begin(async (tx) => promote(tx))).toBe(5);
  const plan = plans.find((text) => text.includes("Update on jobs")) ?? "";
  expect(plan).toContain("idx_jobs_due");
  expect(plan).not.toMatch(/Rows Removed by Filter: \d{3,}/);
});
