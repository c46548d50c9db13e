import { deltaChannelHistoryTests, validate } from "@langchain/langgraph-checkpoint-validation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Database } from "#db";
import { createTestDatabase } from "../../test/database.ts";
import { FencedSaver } from "./index.ts";

// The suite expects the test functions in the global scope, as with Jest.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });

let db: Database;
let drop: () => Promise<void>;

const initializer = {
  checkpointerName: "FencedSaver",
  beforeAllTimeout: 60_000,
  async beforeAll() {
    const created = await createTestDatabase();
    drop = created.drop;
    db = new Database({ url: created.url, maxConnections: 2 });
  },
  async afterAll() {
    await db.close();
    await drop();
  },
  async createCheckpointer() {
    // Retried after a deadlock: the saver of the last test may still be writing.
    await db.call(
      async (sql) => sql`truncate langgraph.checkpoints, langgraph.checkpoint_blobs, langgraph.checkpoint_writes`,
    );
    return new FencedSaver({ call: async (work) => db.call(work), fence: null });
  },
};

validate(initializer);
deltaChannelHistoryTests(initializer);
