import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Database } from "#db";
import type { EmbeddedPostgres } from "#db";
import type { Api } from "./api.ts";
import type { Fleet } from "./fleet.ts";
import type { HistoryWriter } from "../history.ts";
import { insist } from "../retry-transaction.ts";
import type { Random } from "../random.ts";

/** Longer than a worker's lease. */
const SLEEP_MS = 2_000;
/** How many workers may be killed before one must have died at a fault point, and how many for each that has. */
const HEAD_START = 10;
const KILLS_FOR_A_POINT = 2;

export interface Victims {
  db: Database;
  server: EmbeddedPostgres;
  /** Where the server has its files. */
  dataDir: string;
  fleet: Fleet;
  api: Api;
  history: HistoryWriter;
  random: Random;
}

/** How often the database was crashed, and connections to it cut. */
export interface Strikes {
  database: number;
  cut: number;
}

export interface Killing {
  fleet: Fleet;
  random: Random;
  /** How many workers must have died, at fault points or here. */
  kills: number;
  say: (line: string) => void;
}

/** Kills workers that are in the middle of a turn, so that turns get somewhere on any machine, until the signal or until enough have died. */
export async function killWorkers(db: Database, killing: Killing, signal: AbortSignal): Promise<void> {
  const { fleet, random, kills, say } = killing;
  let saidAt = performance.now();
  while (!signal.aborted && fleet.deaths < kills) {
    await wait(100 + random.below(500), undefined, { signal }).catch(() => undefined);
    if (performance.now() - saidAt > 60_000) {
      saidAt = performance.now();
      say(`${fleet.deaths} workers have died`);
    }
    // On a slow machine nobody would live to come by a fault point else.
    if (fleet.ends.killed > HEAD_START + KILLS_FOR_A_POINT * fleet.ends.atPoints) continue;
    fleet.kill(await findBusy(db));
  }
}

/** The workers that run a turn and have written an event of it. */
async function findBusy(db: Database): Promise<string[]> {
  const busy = await insist(
    db,
    async (tx) => tx<{ worker_id: string }[]>`
      select distinct worker_id from jobs where status = 'running' and decision_set_id is not null
        and exists (select 1 from job_events where job_id = jobs.id and seq = jobs.event_seq and attempt = jobs.attempt)`,
  );
  return busy.map((row) => row.worker_id);
}

/** Freezes, kills, sends away and cuts off whatever there is, until the signal. */
export async function torment(victims: Victims, signal: AbortSignal): Promise<Strikes> {
  const { db, fleet, api, random } = victims;
  const strikes: Strikes = { database: 0, cut: 0 };
  const pause = async (ms: number) => wait(ms, undefined, { signal }).catch(() => undefined);
  await pause(2_000);
  while (!signal.aborted) {
    const draw = random.next();
    if (draw < 0.25) await fleet.freeze(SLEEP_MS + random.below(500));
    else if (draw < 0.5) fleet.drain(await findBusy(db));
    else if (draw < 0.65) api.kill();
    else if (draw < 0.9) strikes.cut += await cutConnections(victims);
    else strikes.database += await crashDatabase(victims);
    await pause(1_000 + random.below(3_000));
  }
  return strikes;
}

/** Ends a few of the server's connections under whoever uses them. */
async function cutConnections({ server }: Victims): Promise<number> {
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

/** Stops the server as a crash does, and starts it again. */
async function crashDatabase({ server, dataDir, history, random }: Victims): Promise<number> {
  const file = join(dataDir, "postgres/postmaster.pid");
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8").split("\n", 1)[0]) : 0;
  // A server that is just starting has not written its file yet; 0 would mean this process's own group.
  if (!(pid > 1)) return 0;
  history.addCrash();
  process.kill(pid, "SIGQUIT");
  await server.exited();
  await wait(random.below(1_000));
  await server.restart();
  return 1;
}
