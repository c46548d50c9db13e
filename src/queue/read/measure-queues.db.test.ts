import { setUpQueue } from "../../../test/queue.ts";
import { measureQueues, MAX_COUNTED } from "./measure-queues.ts";
import { beforeAll, expect, test } from "vitest";
import postgres from "postgres";

const queue = setUpQueue();
// Only the tests analyze the table.
beforeAll(async () => {
  await queue.db.sql`alter table jobs set (autovacuum_enabled = false)`;
});

const measure = async () => queue.inTx(measureQueues);
const fill = async (count: number, values: string, owner = "'local'") =>
  queue.db.sql.unsafe(`
    insert into queues (name) values ('default') on conflict do nothing;
    insert into jobs (owner_id, id, job_type, payload, status, hold, priority, completed_at)
    select ${owner}, gen_random_uuid(), 't', '{}', ${values} from generate_series(1, ${count}) as n`);

test("an empty database has zero of everything", async () => {
  expect(await measure()).toEqual({
    jobs: { queued: 0, running: 0, waiting: 0, completed: 0, failed: 0, cancelled: 0 },
    deadLetters: 0,
    queues: [],
    workers: { alive: 0, slots: 0 },
  });
});

test("jobs are counted by state for all owners, and ready and running jobs by queue", async () => {
  await queue.addMany([{ queue: "a" }, { queue: "a" }, { queue: "b" }, { queue: "b", delayMs: 60_000 }]);
  await queue.takeOne();
  await fill(3, "'completed', null, 0, now()");
  await fill(2, "'failed', null, 0, now()");
  await fill(1, "'failed', null, 0, now()", "'another'");
  await fill(1, "'cancelled', null, 0, now()", "'another'");
  await fill(4, "'waiting', null, 0, null");
  await queue.db.sql`update jobs set discarded_at = now()
    where id = (select id from jobs where status = 'failed' and owner_id = 'local' limit 1)`;
  await queue.db.sql`insert into workers (id, host, pid, version, concurrency, state, heartbeat_at) values
    ('here', 'h', 1, '1', 7, 'active', now()), ('leaving', 'h', 2, '1', 5, 'draining', now()),
    ('left', 'h', 3, '1', 9, 'stopped', now()), ('lost', 'h', 4, '1', 9, 'active', now() - interval '1 hour')`;
  const measured = await measure();
  expect(measured).toMatchObject({
    jobs: { queued: 3, running: 1, waiting: 4, completed: 3, failed: 3, cancelled: 1 },
    deadLetters: 2,
    workers: { alive: 2, slots: 12 },
  });
  expect(measured.queues.map(({ queue: name, ready, running }) => ({ name, ready, running }))).toEqual([
    { name: "a", ready: 1, running: 1 },
    { name: "b", ready: 1, running: 0 },
    { name: "default", ready: 0, running: 0 },
  ]);
  expect(measured.queues.at(-1)?.oldestReadyMs).toBeNull();
});

test("the oldest ready job is found behind a flood of urgent jobs and a retried head", async () => {
  await fill(MAX_COUNTED + 10, "'queued', null, 9, null", "'owner-' || n % 40");
  const [head, next] = await queue.addMany([{ priority: -1 }, { priority: -1 }]);
  await queue.db.sql`update jobs set created_at = now() - interval '2 hours', run_at = now() where id = ${head!.jobId}`;
  await queue.db.sql`update jobs set created_at = now() - interval '1 hour', run_at = now() - interval '1 hour'
    where id = ${next!.jobId}`;
  const { queues } = await measure();
  expect(queues).toMatchObject([{ queue: "default", ready: MAX_COUNTED }]);
  expect(queues[0]!.oldestReadyMs).toBeGreaterThanOrEqual(3_600_000);
  expect(queues[0]!.oldestReadyMs).toBeLessThan(3_700_000);
});

const PLENTY = MAX_COUNTED * 2;
/** Measures with the plans of its statements on `jobs`. */
const explain = async () => {
  const plans: string[] = [];
  const sql = postgres(queue.url, {
    max: 1,
    onnotice: ({ message }) => void plans.push(String(message)),
    connection: { client_min_messages: "log" },
  });
  try {
    await sql`load 'auto_explain'`;
    await sql`select set_config('auto_explain.log_min_duration', '0', false),
      set_config('auto_explain.log_analyze', 'on', false), set_config('auto_explain.log_timing', 'off', false)`;
    const { jobs } = await sql.begin(measureQueues);
    return { jobs, plans: plans.filter((plan) => plan.includes("on jobs")) };
  } finally {
    await sql.end();
  }
};

test.each<[string, string]>([
  ["failed", "'failed', null, 0, now()"],
  ["ready", "'queued', null, n % 3, null"],
  ["scheduled", "'queued', 'time', 0, null"],
])("with plenty of %s jobs, analyzed or not, a measurement reads no more rows than its cap", async (name, values) => {
  await fill(PLENTY, values);
  for (const analyzed of [false, true]) {
    if (analyzed) await queue.db.sql`analyze jobs`;
    const { jobs, plans } = await explain();
    expect(name === "failed" ? jobs.failed : jobs.queued).toBe(MAX_COUNTED);
    // The count of completed jobs scans a small table; the next test covers it.
    const text = plans.filter((plan) => !plan.includes("pg_relation_size")).join("\n");
    const read = [...text.matchAll(/on jobs.*actual rows=([\d.]+) loops=(\d+)/g)];
    expect(read.length).toBeGreaterThan(3);
    expect(Math.max(...read.map(([, count, loops]) => Number(count) * Number(loops)))).toBeLessThanOrEqual(MAX_COUNTED);
    expect(text).not.toMatch(/Seq Scan on jobs|Rows Removed by Filter: \d{3,}/);
  }
});

test("completed jobs are counted in a small table and estimated in a large one", async () => {
  await fill(100, "'completed', null, 0, now()");
  expect((await measure()).jobs.completed).toBe(100);
  await queue.db.sql`truncate jobs cascade`;
  await fill(PLENTY, "'completed', null, 0, now()");
  await queue.db.sql`update jobs set payload = to_jsonb(repeat('x', 500))`;
  await fill(10, "'waiting', null, 0, null");
  expect((await measure()).jobs.completed).toBeNull();
  await queue.db.sql`analyze jobs`;
  const { jobs, plans } = await explain();
  expect(jobs.completed! / PLENTY).toBeCloseTo(1, 1);
  expect(plans.find((plan) => plan.includes("pg_relation_size"))).toMatch(/Scan.* on jobs .*never executed/);
});
