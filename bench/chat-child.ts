import { submitTurn, getTurnStatus } from "#conversation";
import { EVENTS_CHANNEL, readNotice } from "#queue/events";
import { MemorySaver } from "@langchain/langgraph";
import { v7 as uuidv7 } from "uuid";
import { Database, Listener } from "#db";
import { buildMlWorkflow } from "#graph";
import { readSettings, serve } from "./serve.ts";

/*
 * A process that takes chat turns: it submits to Threadmill and waits for the reply, or it calls the same graph directly.
 * Both return the milliseconds of each turn.
 */
interface Load {
  turns: number;
  inFlight: number;
}

const OWNER_ID = "local";
const CONTENT = "Design a recommender for an online shop with 2 million users, 50 ms per request and daily training";

const { url } = readSettings() as { url: string };
const db = new Database({ url, maxConnections: 10 });
const heard = new Set<string>();
const waiting = new Map<string, () => void>();
const hear = (jobId: string) => (waiting.has(jobId) ? waiting.get(jobId)?.() : heard.add(jobId));
const listener = new Listener({
  url,
  channels: {
    [EVENTS_CHANNEL]: (payload) => {
      const notice = payload === undefined ? undefined : readNotice(payload);
      if (notice?.changed) hear(notice.jobId);
    },
  },
});
await listener.start();

async function submitAndWait(): Promise<void> {
  const { jobId } = await db.transaction(async (tx) => submitTurn(tx, { ownerId: OWNER_ID, content: CONTENT }));
  for (;;) {
    // A notice that came between the read and the wait is in `heard`.
    if (!heard.delete(jobId)) await new Promise<void>((resolve) => waiting.set(jobId, resolve));
    waiting.delete(jobId);
    const { status, reply, error } = await db.call(async (sql) => getTurnStatus(sql, { ownerId: OWNER_ID, jobId }));
    if (status === "completed" && reply !== null) return;
    if (status === "failed") throw new Error(error ?? "the turn failed");
  }
}

async function callGraph(): Promise<void> {
  const graph = buildMlWorkflow({ checkpointer: new MemorySaver(), model: null });
  const input = { threadId: uuidv7(), messageId: uuidv7(), content: CONTENT, history: [] };
  // With `onEvent` the graph streams as in a worker.
  await graph.runTurn(input, { runId: uuidv7(), signal: new AbortController().signal, onEvent: () => undefined });
}

async function timed(turn: () => Promise<void>, { turns, inFlight }: Load): Promise<number[]> {
  const times: number[] = [];
  let left = turns;
  const loop = async () => {
    while ((left -= 1) >= 0) {
      const start = performance.now();
      await turn();
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  return times;
}

serve(
  {
    ready: () => true,
    /** Collects statistics, as autovacuum would within a minute. */
    analyze: async () => void (await db.call(async (sql) => sql`analyze`)),
    submit: async (load: Load) => timed(submitAndWait, load),
    call: async (load: Load) => timed(callGraph, load),
  },
  async () => {
    await listener.stop();
    await db.close();
  },
);
