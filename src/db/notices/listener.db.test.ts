import postgres from "postgres";
import { afterEach, expect, test } from "vitest";
import { startCuttableProxy } from "../../../test/cuttable-proxy.ts";
import type { CuttableProxy } from "../../../test/cuttable-proxy.ts";
import { createTestDatabase } from "../../../test/database.ts";
import { Listener } from "./listener.ts";

const CHANNEL = "listener_test";
const OTHER = 'listener "other"';
const open: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of open.toReversed()) await close();
  open.length = 0;
});

/** Queues the listener's calls; a call without a payload is a (re)subscription. */
function collectSignals() {
  const heard: (string | undefined)[] = [];
  let wake: (() => void) | undefined;
  return {
    put(payload?: string) {
      heard.push(payload);
      wake?.();
    },
    async take(): Promise<string | undefined> {
      while (heard.length === 0)
        await new Promise<void>((done) => {
          wake = done;
        });
      return heard.shift();
    },
  };
}

async function setUp(heartbeatMs: number) {
  const database = await createTestDatabase();
  open.push(async () => database.drop());
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  open.push(async () => sql.end());
  const proxy = await startCuttableProxy(database.url);
  open.push(async () => proxy.close());
  const signals = collectSignals();
  const others = collectSignals();
  const listener = new Listener({
    url: proxy.url,
    channels: { [CHANNEL]: (payload) => signals.put(payload), [OTHER]: (payload) => others.put(payload) },
    heartbeatMs,
  });
  await listener.start();
  open.push(async () => listener.stop());
  expect([await signals.take(), await others.take()]).toEqual([undefined, undefined]);
  return { sql, proxy, signals, others };
}

const HEARD_AGAIN = [undefined, "after"];

/** Takes the two calls that follow a fault: the resubscription, then a new notification. */
async function hearAgain({ sql, signals }: Awaited<ReturnType<typeof setUp>>) {
  const first = await signals.take();
  await sql.notify(CHANNEL, "after");
  return [first, await signals.take()];
}

const HOUR_MS = 3_600_000;

test("a notification is heard with its payload", async () => {
  const { sql, signals } = await setUp(HOUR_MS);
  await sql.notify(CHANNEL, "one");
  await sql.notify("another_channel", "not this");
  await sql.notify(CHANNEL, "two");
  expect([await signals.take(), await signals.take()]).toEqual(["one", "two"]);
});

test("channels share a connection, and each gets its own notifications", async () => {
  const { sql, signals, others } = await setUp(HOUR_MS);
  await sql.notify(CHANNEL, "for one");
  await sql`select pg_notify(${OTHER}, 'for the other')`;
  expect([await signals.take(), await others.take()]).toEqual(["for one", "for the other"]);
  const [row] = await sql<{ count: number }[]>`select count(*)::int as count from pg_stat_activity
    where application_name = 'threadmill-listen' and datname = current_database()`;
  expect(row?.count).toBe(1);
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'threadmill-listen' and datname = current_database()`;
  expect([await signals.take(), await others.take()]).toEqual([undefined, undefined]);
  await sql`select pg_notify(${OTHER}, 'after')`;
  expect(await others.take()).toBe("after");
});

test("a connection that the server ends is opened again at once, before the next heartbeat", async () => {
  const around = await setUp(HOUR_MS);
  await around.sql`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'threadmill-listen' and datname = current_database()`;
  expect(await hearAgain(around)).toEqual(HEARD_AGAIN);
});

test("the listener subscribes again after its server has refused connections for a while", async () => {
  const around = await setUp(500);
  await refuseFor(around.proxy, async () => around.sql`select pg_sleep(0.3)`);
  expect(await hearAgain(around)).toEqual(HEARD_AGAIN);
});

test("the heartbeat replaces a connection that went silent", async () => {
  const around = await setUp(500);
  around.proxy.blackHole();
  await around.sql.notify(CHANNEL, "lost in the black hole");
  // Longer than the heartbeat waits for its proof.
  await around.sql`select pg_sleep(0.7)`;
  await around.proxy.restore();
  expect(await hearAgain(around)).toEqual(HEARD_AGAIN);
});

test("a connection that the network resets is opened again at once, before the next heartbeat", async () => {
  const around = await setUp(HOUR_MS);
  await refuseFor(around.proxy, async () => undefined);
  expect(await hearAgain(around)).toEqual(HEARD_AGAIN);
});

async function refuseFor(proxy: CuttableProxy, wait: () => Promise<unknown>) {
  await proxy.cut();
  await wait();
  await proxy.restore();
}
