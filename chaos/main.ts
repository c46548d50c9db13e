import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { migrateCheckpoints } from "#checkpoint";
import { Database, migrate, startEmbeddedPostgres } from "#db";
import type { EmbeddedPostgres } from "#db";
import { createQueue, pauseSchedule, saveSchedule, setQueueLimits } from "#queue";
import { offerGraphs } from "../test/offer-graphs.ts";
import { checkGraphs } from "./check-graphs.ts";
import { checkTables, countOutcomes } from "./check.ts";
import { Fleet } from "./fleet.ts";
import { insist, OWNER_ID } from "./insist.ts";
import { makeLoad, PLACES } from "./load.ts";
import { answerQuestions, GRAPH_NAMES } from "./graphs.ts";
import { createNodeRuns } from "./node-runs.ts";
import { Random } from "./random.ts";

const LEASE_MS = 1_500;
const STALL_LIMIT_MS = 30_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
    workers: { type: "string" },
    spares: { type: "string" },
    kills: { type: "string" },
  },
});
const number = (name: keyof typeof values, fallback: number) => {
  const value = values[name] === undefined ? fallback : Number(values[name]);
  if (value >= 0) return value;
  process.stderr.write(`--${name} must be a number, not negative\n`);
  return process.exit(2);
};
// Until so many workers have died, or for so long.
const kills = number("kills", Infinity);
const seconds = number("seconds", number("minutes", values.kills === undefined ? 5 : 60) * 60);
const seed = number("seed", Date.now() % 1_000_000);
const random = new Random(seed);
const say = (line: string) => process.stdout.write(`${line}\n`);

say(
  `chaos: seed ${seed}, ${seconds} s${kills < Infinity ? ` or ${kills} kills` : ""}, the load is made again with --seed ${seed}`,
);
const dataDir = mkdtempSync(join(tmpdir(), "threadmill-chaos-"));
const server = await startEmbeddedPostgres({ dataDir });
const begunAt = performance.now();
const restarts = { database: 0, cut: 0 };
let faults: string[] = [];
try {
  faults = await play(server);
} finally {
  await server.stop(0);
  rmSync(dataDir, { recursive: true, force: true });
}
for (const fault of faults) say(`BROKEN ${fault}`);
say(
  faults.length === 0 ? "chaos: every promise was kept" : `chaos: ${faults.length} promises broken with seed ${seed}`,
);
process.exit(faults.length === 0 ? 0 : 1);

async function play({ url }: EmbeddedPostgres): Promise<string[]> {
  await migrate({ url, also: migrateCheckpoints });
  const db = new Database({ url, maxConnections: 6 });
  await db.sql`create table chaos_effects (job_id uuid, attempt int)`;
  await db.sql`create table chaos_runs (job_id uuid, attempt int, thread_id uuid, primary key (job_id, attempt))`;
  await createNodeRuns(db);
  await createQueue(db.sql, "default");
  await db.transaction(async (tx) => setQueueLimits(tx, "default", { perKey: { concurrency: PLACES } }));
  const schedule = { ownerId: OWNER_ID, name: "every second", cron: "* * * * * *", jobType: "short", payload: {} };
  const { scheduleId } = await db.transaction(async (tx) => saveSchedule(tx, { ...schedule, missedRuns: "run_once" }));
  // After the schedule: as soon as the registry names any job type, it must name a schedule's.
  await offerGraphs(db.sql, GRAPH_NAMES);
  const log = join(dataDir, "faults.log");
  writeFileSync(log, "");
  const fleet = new Fleet({ url, workers: number("workers", 6), spares: number("spares", 4), random, log });
  const enough = new AbortController();
  const over = enough.signal;
  const timer = setTimeout(() => enough.abort(), seconds * 1_000);
  const ended = new AbortController();
  const answering = answerQuestions(db, ended.signal);
  const [said] = await Promise.all([
    makeLoad(db, random, over),
    killWorkers(db, fleet, over).then(() => enough.abort()),
    torment(fleet, over),
  ]);
  clearTimeout(timer);
  const tormentedMs = performance.now() - begunAt;
  await insist(db, async (tx) => pauseSchedule(tx, { ownerId: OWNER_ID, scheduleId }, true));
  say(`after ${(tormentedMs / 60_000).toFixed(1)} minutes and ${fleet.deaths} deaths: nothing dies any more`);
  await fleet.heal();
  const left = await quiesce(db);
  ended.abort();
  await fleet.close();
  say(left === 0 ? "every job has ended" : `${left} jobs have not ended`);
  const graphs = await checkGraphs(db, said);
  const outcomes = await countOutcomes(db, fleet.dead);
  const report = (name: string, counts: object) => say(`${name}: ${JSON.stringify(counts)}`);
  report("load", {
    acknowledged: said.jobs.size,
    redriven: said.redriven.size,
    answered: await answering,
    ...outcomes.jobs,
  });
  report("kills", {
    ...fleet.ends,
    deaths: fleet.deaths,
    ...outcomes.kills,
    minutes: (tormentedMs / 60_000).toFixed(1),
    ...restarts,
  });
  report("fault points", fleet.faults());
  report("graph runs", { ...graphs.counts, ...outcomes.nodes });
  const found =
    left > 0 ? [`every job ends with healthy workers: ${left} had not, and none ended for ${STALL_LIMIT_MS} ms`] : [];
  found.push(...(await checkTables(db, said)), ...graphs.faults);
  await db.close();
  return found;
}

/** Kills workers that are in the middle of a turn, so that turns get somewhere on any machine, until the signal or until enough have died, at fault points or here. */
async function killWorkers(db: Database, fleet: Fleet, signal: AbortSignal): Promise<void> {
  let saidAt = performance.now();
  while (!signal.aborted && fleet.deaths < kills) {
    await wait(100 + random.below(500), undefined, { signal }).catch(() => undefined);
    const busy = await insist(
      db,
      async (tx) => tx<{ worker_id: string }[]>`
        select distinct worker_id from jobs where status = 'running' and decision_set_id is not null
          and exists (select 1 from job_events where job_id = jobs.id and seq = jobs.event_seq and attempt = jobs.attempt)`,
    );
    fleet.kill(busy.map((row) => row.worker_id));
    if (performance.now() - saidAt > 60_000) {
      saidAt = performance.now();
      say(`${fleet.deaths} workers have died`);
    }
  }
}

/** Freezes, sends away and cuts off whatever there is, until the signal. */
async function torment(fleet: Fleet, signal: AbortSignal): Promise<void> {
  const pause = async (ms: number) => wait(ms, undefined, { signal }).catch(() => undefined);
  await pause(2_000);
  while (!signal.aborted) {
    const draw = random.next();
    if (draw < 0.35) await fleet.freeze(LEASE_MS + 500 + random.below(500));
    else if (draw < 0.55) fleet.drain();
    else if (draw < 0.9) await cutConnections();
    else await crashDatabase();
    await pause(1_000 + random.below(3_000));
  }
}

/** Ends a few of the server's connections under whoever uses them. */
async function cutConnections(): Promise<void> {
  restarts.cut += 1;
  const db = new Database({ url: server.url, maxConnections: 1 });
  await db
    .call(
      async (sql) =>
        sql`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' and random() < 0.4`,
    )
    .catch(() => undefined);
  await db.close();
}

/** Stops the server as a crash does, and starts it again. */
async function crashDatabase(): Promise<void> {
  const file = join(dataDir, "postgres/postmaster.pid");
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8").split("\n", 1)[0]) : 0;
  // A server that is just starting has not written its file yet; 0 would mean this process's own group.
  if (!(pid > 1)) return;
  restarts.database += 1;
  process.kill(pid, "SIGQUIT");
  await server.exited();
  await wait(random.below(1_000));
  await server.restart();
}

/** Waits until healthy workers have brought every job to its end; answers how many are left once none has ended for long. */
async function quiesce(db: Database): Promise<number> {
  let before = Infinity;
  for (let since = performance.now(); performance.now() - since < STALL_LIMIT_MS; await wait(200)) {
    const [row] = await insist(
      db,
      async (tx) =>
        tx<{ left: number }[]>`select count(*)::int as left from jobs where status in ('queued', 'running', 'waiting')`,
    );
    const left = row?.left ?? 0;
    if (left === 0) return 0;
    if (left < before) since = performance.now();
    before = left;
  }
  return before;
}
