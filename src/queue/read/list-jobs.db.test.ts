import { setUpQueue } from "../../../test/queue.ts";
import { cancel } from "../settle/cancel.ts";
import { listDeadLetters } from "./dead-letters.ts";
import { countJobs, listJobs } from "./list-jobs.ts";
import { expect, test } from "vitest";

const queue = setUpQueue();

/** Jobs whose numbers have 1, 2 and 3 digits: ordered as text they would be in another order. */
const fill = async () =>
  queue.db.sql<{ id: string }[]>`
    insert into jobs (id, seq, owner_id, job_type, payload, status, completed_at) overriding system value
    select gen_random_uuid(), n, ${queue.ownerId}, 't', '{}', 'failed', clock_timestamp() from generate_series(1, 120) as n
    returning id`;

test.each<[string, typeof listJobs]>([
  ["jobs", listJobs],
  ["dead letters", async (sql, input) => listDeadLetters(sql, input)],
])("%s are listed newest first, each on one page", async (_name, list) => {
  const ids = (await fill()).map((row) => row.id).toReversed();
  const seen: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await list(queue.db.sql, { ownerId: queue.ownerId, limit: 50, ...(cursor && { cursor }) });
    seen.push(...page.jobs.map((job) => job.jobId));
    cursor = page.nextCursor;
  }
  expect(seen).toEqual(ids);
});

test("jobs are listed by state, type and queue", async () => {
  const [a, b] = await queue.addMany([{ jobType: "a" }, { queue: "b" }, {}]);
  await queue.inTx(async (tx) => cancel(tx, queue.keyOf(a?.jobId)));
  const find = async (filter: object) =>
    (await listJobs(queue.db.sql, { ownerId: queue.ownerId, ...filter })).jobs.map((job) => job.jobId);
  expect(await find({ status: "cancelled" })).toEqual([a?.jobId]);
  expect(await find({ jobType: "a" })).toEqual([a?.jobId]);
  expect(await find({ queue: "b" })).toEqual([b?.jobId]);
});

test("the owner's jobs in each state are counted, and no other owner's", async () => {
  await queue.addMany([{}, {}]);
  await queue.finish(await queue.takeOne());
  await queue.add({ ownerId: "other" });
  const counts = await countJobs(queue.db.sql, queue.ownerId);
  expect(counts).toEqual({ queued: 1, running: 0, waiting: 0, completed: 1, failed: 0, cancelled: 0 });
});

/** The plan of the list's own statement, which is explained instead of run. */
const explain = async (input: Parameters<typeof listJobs>[1]) => {
  const plans: string[] = [];
  const explaining = new Proxy(queue.db.sql, {
    apply: (sql, _this, [strings, ...values]: [TemplateStringsArray, ...unknown[]]) => {
      if (!strings[0]?.trimStart().startsWith("select")) return sql(strings, ...(values as never[]));
      const asked = Object.assign([`explain (analyze) ${strings[0]}`, ...strings.slice(1)], {
        raw: [`explain (analyze) ${strings.raw[0]}`, ...strings.raw.slice(1)],
      });
      return sql(asked as unknown as TemplateStringsArray, ...(values as never[])).then((rows) => {
        plans.push(...rows.map((row) => String(row["QUERY PLAN"])));
        return [];
      });
    },
  });
  await listJobs(explaining, input);
  return plans.join("\n");
};

test("a search for an id finds that job, or that thread's jobs, and no job that only mentions it", async () => {
  const thread = "018f0000-0000-7000-8000-00000000000a";
  const [first, second] = [await queue.add({ threadId: thread }), await queue.add({ threadId: thread })];
  await queue.add({ payload: { about: first.jobId } });
  const stranger = await queue.add({ ownerId: "stranger" });
  const find = async (search: string) =>
    (await listJobs(queue.db.sql, { ownerId: queue.ownerId, search })).jobs.map((job) => job.jobId);
  expect(await find(first.jobId)).toEqual([first.jobId]);
  expect(await find(` ${second.jobId.toUpperCase()} `)).toEqual([second.jobId]);
  expect(await find(stranger.jobId)).toEqual([]);
  expect(await find(thread)).toEqual([second.jobId, first.jobId]);
  // An incomplete id is searched for as text.
  expect(await find(first.jobId.slice(0, -1))).toContain(first.jobId);
  expect(await find(first.jobId.slice(0, -1))).toHaveLength(2);
});

test("a page of a full table reads its index only, and few rows", async () => {
  await queue.db.sql`
    insert into jobs (id, owner_id, job_type, payload, status, completed_at)
    select gen_random_uuid(), ${queue.ownerId}, 't', '{}', 'completed', clock_timestamp() from generate_series(1, 20000)`;
  await queue.db.sql`vacuum analyze jobs`;
  const plan = await explain({ ownerId: queue.ownerId, limit: 50 });
  expect(plan).toMatch(/Index Scan using idx_jobs_owner_seq on jobs .*rows=51/);
  expect(plan).not.toContain("Sort");
});

test("a search for an id looks it up by the keys of a full table", async () => {
  await queue.db.sql`
    insert into jobs (id, owner_id, job_type, payload, status, completed_at)
    select gen_random_uuid(), ${queue.ownerId}, 't', '{}', 'completed', clock_timestamp() from generate_series(1, 20000)`;
  await queue.db.sql`vacuum analyze jobs`;
  const { jobId } = await queue.add();
  const plan = await explain({ ownerId: queue.ownerId, search: jobId });
  expect(plan).toContain("jobs_pkey");
  expect(plan).not.toMatch(/Seq Scan|idx_jobs_owner_seq/);
});
