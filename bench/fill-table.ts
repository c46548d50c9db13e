import type { Database } from "#db";

/** The deadline for filling a table, in milliseconds. */
export const FILL_LIMIT_MS = 600_000;

/** Kinds of rows for the jobs table, as the values of the columns in which they differ. */
export const CONTENTS = {
  finished: "'completed', null, 0, null, now(), now()",
  scheduled: "'queued', 'time', 9, null, null, now() + interval '30 days'",
  queued: "'queued', null, 0, null, null, now()",
} as const;
export type Content = keyof typeof CONTENTS;

/** Inserts jobs in one statement, so all of them have one timestamp. */
export async function addRows(db: Database, content: Content, count: number): Promise<void> {
  await db.call(async (sql) =>
    sql.unsafe(`
        insert into jobs (id, owner_id, job_type, payload, status, hold, priority, thread_id, completed_at, run_at)
        select uuidv7(), 'local', 'bench', '{}', ${CONTENTS[content]} from generate_series(1, ${count})`),
  );
}

/** Inserts threads whose heads run on another worker, and jobs that wait behind these heads. */
export async function addLines(db: Database, threads: number, count: number): Promise<void> {
  await db.call(async (sql) =>
    sql.unsafe(`
        with thread as (select n, gen_random_uuid() as id from generate_series(0, ${threads - 1}) as n),
        heads as (
          insert into jobs (id, owner_id, job_type, payload, status, thread_id, attempt, worker_id, last_worker_id, lease_expires_at, claimed_at)
          select uuidv7(), 'local', 'bench', '{}', 'running', id, 1, 'other', 'other', now() + interval '1 day', now() from thread
        )
        insert into jobs (id, owner_id, job_type, payload, status, hold, thread_id)
        select uuidv7(), 'local', 'bench', '{}', 'queued', 'thread', thread.id
        from generate_series(1, ${count}) as line join thread on thread.n = line % ${threads}`),
  );
}

/** Inserts ready jobs with random owners and priorities. */
export async function addMixed(
  db: Database,
  { count, owners, priorities }: { count: number; owners: number; priorities: number },
): Promise<void> {
  await db.call(
    async (sql) => sql`
      insert into jobs (id, owner_id, job_type, payload, priority)
      select uuidv7(), 'owner-' || (random() * ${owners - 1}::int)::int, 'bench', '{}',
        (random() * ${priorities - 1}::int)::int
      from generate_series(1, ${count})`,
  );
}

/** Updates the planner's statistics and the visibility map, as autovacuum would in time. */
export async function vacuum(db: Database): Promise<void> {
  await db.call(async (sql) => sql`vacuum analyze jobs`);
}
