import type { Database } from "#queue";
import { reap } from "#queue/settle";

/** Expires and reaps every running job, as after the death of its worker. Repeats, because live heartbeats renew leases. */
export async function takeLeases(db: Database): Promise<void> {
  const claims = await db.sql<{ id: string; attempt: number }[]>`select id, attempt from jobs where status = 'running'`;
  const held = db.sql`status = 'running' and (id, attempt) in (
    select * from unnest(${claims.map((one) => one.id)}::uuid[], ${claims.map((one) => one.attempt)}::int[]))`;
  for (;;) {
    const left = await db.sql`
      update jobs set lease_expires_at = clock_timestamp() - interval '1 second' where ${held} returning id`;
    if (left.length === 0) return;
    await reap(db, { policyOf: () => ({ baseMs: 0, capMs: 0 }) });
  }
}
