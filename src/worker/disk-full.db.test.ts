import { enqueue } from "#queue/enqueue";
import { getJob } from "#queue/read";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { Database } from "#db";
import { AttemptSignals } from "../../test/attempt-signals.ts";
import { createTestDatabase } from "../../test/database.ts";
import { startWorker } from "../../test/start-worker.ts";
import { defineJob } from "./define-job.ts";

let db: Database;
let url: string;
let drop: () => Promise<void>;
const ownerId = "local";

beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  db = new Database({ url });
});
afterAll(async () => {
  await db.close();
  await drop();
});

test.each([1, 4])(
  "a completion that the full disk refuses is sent again until it is stored (%i slots)",
  async (concurrency) => {
    // A sequence also counts transactions that were rolled back.
    await db.sql.unsafe(`
    create sequence refusals;
    create function refuse() returns trigger language plpgsql as $$ begin
      perform nextval('refusals');
      raise exception 'no space' using errcode = '53100';
    end $$;
    create trigger refuse before update on jobs for each row when (new.status = 'completed') execute function refuse()`);
    let runs = 0;
    const handler = defineJob({
      type: "t",
      payload: z.looseObject({}),
      run: async () => ({ result: (runs += 1) }),
    });
    const signals = new AttemptSignals();
    const worker = await startWorker({ db, url, handlers: [handler], concurrency, signals });
    try {
      const { jobId } = await db.transaction(async (tx) => enqueue(tx, { ownerId, jobType: "t", payload: {} }));
      const refusals = async () => {
        const [row] = await db.sql<{ count: number }[]>`select last_value::int as count from refusals`;
        return row?.count ?? 0;
      };
      // More refusals than one call makes tries.
      await expect.poll(refusals, { timeout: 20_000 }).toBeGreaterThan(4);
      await db.sql.unsafe("drop trigger refuse on jobs; drop function refuse; drop sequence refusals");
      await signals.reached(jobId, "completed");
      const job = await getJob(db.sql, { ownerId, jobId });
      expect(job).toMatchObject({ status: "completed", retryCount: 0, attempt: 1 });
      expect(runs).toBe(1);
    } finally {
      await worker.stop();
    }
  },
);
