import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Database } from "#db";
import type { EmbeddedPostgres } from "#db";
import type { Api } from "./api.ts";
import type { Fleet } from "./fleet.ts";
import type { HistoryWriter } from "../history.ts";
import { retryTransaction } from "../retry-transaction.ts";
import type { Random } from "../random.ts";

/** Longer than a worker's lease. */
const FREEZE_MS = 2_000;
/** Kills are limited to this number plus `KILLS_PER_POINT_DEATH` for each death at a fault point. */
const FREE_KILLS = 10;
const KILLS_PER_POINT_DEATH = 2;

export interface Targets {
  db: Database;
  server: EmbeddedPostgres;
  /** The data folder of the database server. */
  dataDir: string;
  fleet: Fleet;
  api: Api;
  history: HistoryWriter;
  random: Random;
}

/** The number of database crashes and of connection cuts. */
export interface FaultCounts {
  database: number;
  cut: number;
}

export interface Killing {
  fleet: Fleet;
  random: Random;
  /** The number of deaths to reach, by kills and at fault points. */
  kills: number;
  say: (line: string) => void;
}

/** Kills workers in the middle of a turn, until the signal aborts or enough workers have died. */
export async function killWorkers(db: Database, killing: Killing, signal: AbortSignal): Promise<void> {
  const { fleet, random, kills, say } = killing;
  let reportedMs = performance.now();
  while (!signal.aborted && fleet.deaths < kills) {
    await wait(100 + random.below(500), undefined, { signal }).catch(() => undefined);
    if (performance.now() - reportedMs > 60_000) {
      reportedMs = performance.now();
      say(`${fleet.deaths} workers have died`);
    }
    // On a slow machine, unlimited kills would end every worker before it reaches a fault point.
    if (fleet.ends.killed > FREE_KILLS + KILLS_PER_POINT_DEATH * fleet.ends.atPoints) continue;
    fleet.kill(await findBusy(db));
  }
}

/** Finds the workers with a running turn that has at least one event. */
async function findBusy(db: Database): Promise<string[]> {
  const busy = await retryTransaction(
    db,
    async (tx) => tx<{ worker_id: string }[]>`
      select distinct worker_id from jobs where status = 'running' and decision_set_id is not null
        and exists (select 1 from job_events where job_id = jobs.id and seq = jobs.event_seq and attempt = jobs.attempt)`,
  );
  return busy.map((row) => row.worker_id);
}

/** Injects random faults until the signal aborts: freezes, drains, kills, connection cuts and database crashes. */
export async function injectFaults(targets: Targets, signal: AbortSignal): Promise<FaultCounts> {
  const { db, fleet, api, random } = targets;
  const counts: FaultCounts = { database: 0, cut: 0 };
  const pause = async (ms: number) => wait(ms, undefined, { signal }).catch(() => undefined);
  await pause(2_000);
  while (!signal.aborted) {
    const draw = random.next();
    if (draw < 0.25) await fleet.freeze(FREEZE_MS + random.below(500));
    else if (draw < 0.5) fleet.drain(await findBusy(db));
    else if (draw < 0.65) api.kill();
    else if (draw < 0.9) counts.cut += await cutConnections(targets);
    else counts.database += await crashDatabase(targets);
    await pause(1_000 + random.below(3_000));
  }
  return counts;
}

/** Terminates about 40 % of the server's connections. */
async function cutConnections({ server }: Targets): Promise<number> {
  const db = new Database({ url: server.url, maxConnections: 1 });
  await db
    .call(
      async (sql) =>
        sql`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' and random() < 0.4`,
    )
    .catch(() => undefined);
  await db.close();
  return 1;
}

/** Crashes the database server and restarts it. */
async function crashDatabase({ server, dataDir, history, random }: Targets): Promise<number> {
  const file = join(dataDir, "postgres/postmaster.pid");
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8").split("\n", 1)[0]) : 0;
  // A starting server has not written the file yet. A pid of 0 would signal this process group.
  if (!(pid > 1)) return 0;
  history.addCrash();
  process.kill(pid, "SIGQUIT");
  await server.exited();
  await wait(random.below(1_000));
  await server.restart();
  return 1;
}
