/**
 * The crash test: clients load the product while workers, the API and the database are killed; then the result is
 * checked.
 *
 * `load/` sends requests and records them. `jobs/` contains the job types and graphs. `processes/` starts and kills the
 * workers, the API and the database. `check/` compares the tables with the recorded history. `history.ts` is that
 * history. It lives in files, because the database is under test.
 */
import { createQueue, setQueueLimits } from "#queue/operate";
import { pauseSchedule, saveSchedule } from "#queue/schedules";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { migrateCheckpoints } from "#checkpoint";
import { Database, migrate, startEmbeddedPostgres } from "#db";
import { offerGraphs } from "../test/offer-graphs.ts";
import { readAcknowledged } from "./check/acknowledged.ts";
import { Api } from "./processes/api.ts";
import { checkGraphs } from "./check/check-graphs.ts";
import { checkHistory } from "./check/check-history.ts";
import { checkTables, countOutcomes } from "./check/check-tables.ts";
import { Client } from "./load/client.ts";
import { Fleet } from "./processes/fleet.ts";
import { answerQuestions, GRAPH_NAMES } from "./jobs/graphs.ts";
import { HistoryWriter, readHistory } from "./history.ts";
import { retryTransaction, OWNER_ID } from "./retry-transaction.ts";
import { QUARANTINE_CRASHES, NARROW_LIMIT, NARROW_QUEUE, KEY_LIMIT } from "./load-facts.ts";
import { makeLoad } from "./load/load.ts";
import { createNodeTables } from "./jobs/node-runs.ts";
import { waitForQuiescence, STALL_LIMIT_MS } from "./check/wait-for-quiescence.ts";
import { Random } from "./random.ts";
import { killWorkers, injectFaults } from "./processes/inject-faults.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
    workers: { type: "string" },
    spares: { type: "string" },
    kills: { type: "string" },
    jobs: { type: "string" },
    // Kills nothing, for the tests of the checker.
    "no-faults": { type: "boolean", default: false },
    // Read by run.mjs, which builds the mutant.
    mutant: { type: "string" },
  },
});
const number = (name: "minutes" | "seconds" | "seed" | "workers" | "spares" | "kills" | "jobs", fallback: number) => {
  const value = values[name] === undefined ? fallback : Number(values[name]);
  if (value >= 0) return value;
  process.stderr.write(`--${name} must be a number of at least 0\n`);
  return process.exit(2);
};
const noFaults = values["no-faults"];
// The load ends after `kills` deaths or `seconds`, but not before `jobs` were acknowledged.
const kills = number("kills", Infinity);
const seconds = number("seconds", number("minutes", values.kills === undefined ? 5 : 60) * 60);
const jobs = number("jobs", 0);
const seed = number("seed", Date.now() % 1_000_000);
const random = new Random(seed);
const say = (line: string) => process.stdout.write(`${line}\n`);
const report = (name: string, counts: object) => say(`${name}: ${JSON.stringify(counts)}`);

say(
  `chaos: seed ${seed}, ${seconds} s${kills < Infinity ? ` or ${kills} kills` : ""}; --seed ${seed} repeats this load`,
);
const dataDir = mkdtempSync(join(tmpdir(), "threadmill-chaos-"));
const server = await startEmbeddedPostgres({ dataDir });
const startedMs = performance.now();
let broken: string[] = [];
try {
  broken = await run();
} finally {
  await server.stop(0);
  rmSync(dataDir, { recursive: true, force: true });
}
for (const promise of broken) say(`BROKEN ${promise}`);
say(
  broken.length === 0 ? "chaos: every promise was kept" : `chaos: ${broken.length} promises broken with seed ${seed}`,
);
process.exit(broken.length === 0 ? 0 : 1);

async function run(): Promise<string[]> {
  const { url } = server;
  const db = new Database({ url, maxConnections: 6 });
  const scheduleId = await prepare(db);
  const fleet = new Fleet({
    url,
    workers: number("workers", 6),
    spares: number("spares", noFaults ? 0 : 4),
    random,
    folder: dataDir,
    noFaults,
  });
  const api = await Api.start({ databaseUrl: url, log: join(dataDir, "api.log") });
  const { counts, stopAnswering } = await runUnderFaults({ db, fleet, api });
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  await retryTransaction(db, async (tx) => pauseSchedule(tx, { ownerId: OWNER_ID, scheduleId }, true));
  say(`after ${minutes} minutes and ${fleet.deaths} deaths: no more faults`);
  if (!noFaults) await fleet.heal();
  const leftCount = await waitForQuiescence(db);
  await stopAnswering();
  await Promise.all([fleet.close(), api.close()]);
  say(leftCount === 0 ? "every job has ended" : `${leftCount} jobs have not ended`);
  const found =
    leftCount > 0 ? [`every job ends: ${leftCount} have not, and no job ended for ${STALL_LIMIT_MS} ms`] : [];
  if (api.ends.unexpected > 0) found.push(`the API never crashes: it did ${api.ends.unexpected} times`);
  found.push(...(await check(db, fleet)));
  report("kills", { ...fleet.ends, deaths: fleet.deaths, ...counts, api: api.ends.killed, minutes });
  if (!noFaults) reportFaultPoints(fleet);
  if (found.length > 0) say(`last log lines of the API: ${api.readLogTail()}`);
  await db.close();
  return found;
}

/** Creates the tables, the queues and a schedule. Returns the id of the schedule. */
async function prepare(db: Database): Promise<string> {
  await migrate({ url: server.url, also: migrateCheckpoints });
  await db.sql`create table chaos_effects (job_id uuid, attempt int)`;
  await createNodeTables(db);
  await adjustNewJobs(db);
  for (const name of ["default", NARROW_QUEUE]) await createQueue(db.sql, name);
  const schedule = { ownerId: OWNER_ID, name: "every second", cron: "* * * * * *", jobType: "short", payload: {} };
  const scheduleId = await db.transaction(async (tx) => {
    await setQueueLimits(tx, "default", { perKey: { concurrency: KEY_LIMIT } });
    await setQueueLimits(tx, NARROW_QUEUE, { concurrency: NARROW_LIMIT });
    return (await saveSchedule(tx, { ...schedule, missedRuns: "run_once" })).scheduleId;
  });
  // After the schedule: a registry with any job type refuses a schedule of an unknown one.
  await offerGraphs(db.sql, GRAPH_NAMES);
  return scheduleId;
}

/**
 * Adds a trigger for new jobs. A turn gets unlimited retries and crashes, because a failed turn would change every later
 * turn of its thread. A job marked `quarantined` starts with crashes.
 */
async function adjustNewJobs(db: Database): Promise<void> {
  await db.sql.unsafe(`
    create function chaos_prepare() returns trigger language plpgsql as $$
    begin
      if new.decision_set_id is not null then
        new.max_retries := 1000000;
        new.max_crashes := 1000000;
      elsif new.payload ? 'quarantined' then
        new.crash_count := ${QUARANTINE_CRASHES};
        new.max_crashes := ${2 * QUARANTINE_CRASHES};
      end if;
      return new;
    end $$;
    create trigger chaos_prepare before insert on jobs for each row execute function chaos_prepare();`);
}

/** Runs clients and faults together until the limits are reached. Questions are answered until `stopAnswering`. */
async function runUnderFaults({ db, fleet, api }: { db: Database; fleet: Fleet; api: Api }) {
  const history = new HistoryWriter(dataDir);
  const enough = new AbortController();
  const timer = setTimeout(() => enough.abort(), seconds * 1_000);
  const loaded = new AbortController();
  const stopped = new AbortController();
  const answering = answerQuestions(new Client({ name: "people", url: api.url, history }), stopped.signal);
  const load = makeLoad({ db, url: api.url, history, seed, minJobs: jobs }, enough.signal).then(() => loaded.abort());
  const killing = { fleet, random, kills, say };
  const targets = { db, server, dataDir, fleet, api, history, random };
  const [counts] = await Promise.all([
    noFaults ? {} : injectFaults(targets, loaded.signal),
    noFaults ? undefined : killWorkers(db, killing, loaded.signal).then(() => enough.abort()),
    load,
  ]);
  clearTimeout(timer);
  const stopAnswering = async () => {
    stopped.abort();
    await answering;
  };
  return { counts, stopAnswering };
}

/** Compares the tables with the recorded history, and reports the counts of the run. */
async function check(db: Database, fleet: Fleet): Promise<string[]> {
  const history = readHistory(dataDir);
  const acknowledged = await readAcknowledged(db, history.entries);
  const graphs = await checkGraphs(db, acknowledged);
  const outcomes = await countOutcomes(db, fleet.dead);
  const seen = await checkHistory(db, history);
  report("load", { acknowledged: acknowledged.jobs.size, redriven: acknowledged.redriven.size, ...outcomes.jobs });
  report("history", seen.counts);
  report("killed runs", outcomes.kills);
  report("graph runs", { ...graphs.counts, ...outcomes.nodes });
  return [...seen.faults, ...(await checkTables(db, acknowledged)), ...graphs.faults];
}

function reportFaultPoints(fleet: Fleet): void {
  const counts = {
    "fault points": fleet.plans.count(),
    "fault points in quarantine": fleet.plans.countQuarantine(),
  };
  for (const [name, byPoint] of Object.entries(counts)) {
    report(name, byPoint);
    const missed = Object.entries(byPoint).filter(([, count]) => count === 0);
    if (missed.length > 0) say(`${name} not reached: ${missed.map(([point]) => point).join(", ")}`);
  }
}
