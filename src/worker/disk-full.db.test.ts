import { enqueue } from "#queue/enqueue";
import { getJob } from "#queue/read";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { Database } from "#db";
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
  "a completion that the full disk refuses is sent again until it is stored (%i places)",
  async (concurrency) => {
    // A sequence counts what was rolled back, too.
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
    const worker = await startWorker({ db, url, handlers: [handler], concurrency });
    try {
      const { jobId } = await db.transaction(async (tx) => enqueue(tx, { ownerId, jobType: "t", payload: {} }));
      const refusals = async () => {
        const [row] = await db.sql<{ count: number }[]>`select last_value::int as count from refusals`;
        return row?.count ?? 0;
      };
      // More than the tries of one call.
      await expect.poll(refusals, { timeout: 20_000 }).toBeGreaterThan(4);
      await db.sql.unsafe("drop trigger refuse on jobs; drop function refuse; drop sequence refusals");
      const read = async () => getJob(db.sql, { ownerId, jobId });
      await expect.poll(async () => (await read()).status, { timeout: 20_000 }).toBe("completed");
      expect(await read()).toMatchObject({ retryCount: 0, attempt: 1 });
      expect(runs).toBe(1);
    } finally {
      await worker.stop();
    }
  },
);
