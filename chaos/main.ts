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
import { insist, OWNER_ID } from "./retry-transaction.ts";
import { CRASHES_OF_SUSPECTS, NARROW_PLACES, NARROW_QUEUE, PLACES } from "./load-facts.ts";
import { makeLoad } from "./load/load.ts";
import { createNodeRuns } from "./jobs/node-runs.ts";
import { quiesce, STALL_LIMIT_MS } from "./check/wait-for-quiescence.ts";
import { Random } from "./random.ts";
import { killWorkers, torment } from "./processes/inject-faults.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
    workers: { type: "string" },
    spares: { type: "string" },
    kills: { type: "string" },
    jobs: { type: "string" },
    calm: { type: "boolean", default: false },
    // Read by run.mjs, which builds it.
    mutant: { type: "string" },
  },
});
const number = (name: "minutes" | "seconds" | "seed" | "workers" | "spares" | "kills" | "jobs", fallback: number) => {
  const value = values[name] === undefined ? fallback : Number(values[name]);
  if (value >= 0) return value;
  process.stderr.write(`--${name} must be a number, not negative\n`);
  return process.exit(2);
};
/** Nothing dies, sleeps or is cut off. */
const isCalm = values.calm;
// Until so many workers have died, or for so long; and until so many jobs were acknowledged.
const kills = number("kills", Infinity);
const seconds = number("seconds", number("minutes", values.kills === undefined ? 5 : 60) * 60);
const jobs = number("jobs", 0);
const seed = number("seed", Date.now() % 1_000_000);
const random = new Random(seed);
const say = (line: string) => process.stdout.write(`${line}\n`);
const report = (name: string, counts: object) => say(`${name}: ${JSON.stringify(counts)}`);

say(
  `chaos: seed ${seed}, ${seconds} s${kills < Infinity ? ` or ${kills} kills` : ""}, the load is made again with --seed ${seed}`,
);
const dataDir = mkdtempSync(join(tmpdir(), "threadmill-chaos-"));
const server = await startEmbeddedPostgres({ dataDir });
const begunAt = performance.now();
let faults: string[] = [];
try {
  faults = await play();
} finally {
  await server.stop(0);
  rmSync(dataDir, { recursive: true, force: true });
}
for (const fault of faults) say(`BROKEN ${fault}`);
say(
  faults.length === 0 ? "chaos: every promise was kept" : `chaos: ${faults.length} promises broken with seed ${seed}`,
);
process.exit(faults.length === 0 ? 0 : 1);

async function play(): Promise<string[]> {
  const { url } = server;
  const db = new Database({ url, maxConnections: 6 });
  const scheduleId = await prepare(db);
  const fleet = new Fleet({
    url,
    workers: number("workers", 6),
    spares: number("spares", isCalm ? 0 : 4),
    random,
    folder: dataDir,
    calm: isCalm,
  });
  const api = await Api.start({ databaseUrl: url, log: join(dataDir, "api.log") });
  const { strikes, answering } = await disturb({ db, fleet, api });
  const minutes = ((performance.now() - begunAt) / 60_000).toFixed(1);
  await insist(db, async (tx) => pauseSchedule(tx, { ownerId: OWNER_ID, scheduleId }, true));
  say(`after ${minutes} minutes and ${fleet.deaths} deaths: nothing dies any more`);
  if (!isCalm) await fleet.heal();
  const left = await quiesce(db);
  await answering.stop();
  await Promise.all([fleet.close(), api.close()]);
  say(left === 0 ? "every job has ended" : `${left} jobs have not ended`);
  const found = left > 0 ? [`every job ends: ${left} had not, and none ended for ${STALL_LIMIT_MS} ms`] : [];
  if (api.ends.byItself > 0) found.push(`the API never ends by itself: ${api.ends.byItself} times it did`);
  found.push(...(await check(db, fleet)));
  report("kills", { ...fleet.ends, deaths: fleet.deaths, ...strikes, api: api.ends.killed, minutes });
  if (!isCalm) reportFaultPoints(fleet);
  if (found.length > 0) say(`the API's last words: ${api.lastWords()}`);
  await db.close();
  return found;
}

/** Makes the tables and queues, and a schedule, whose id it returns. */
async function prepare(db: Database): Promise<string> {
  await migrate({ url: server.url, also: migrateCheckpoints });
  await db.sql`create table chaos_effects (job_id uuid, attempt int)`;
  await createNodeRuns(db);
  await prepareJobs(db);
  for (const name of ["default", NARROW_QUEUE]) await createQueue(db.sql, name);
  const schedule = { ownerId: OWNER_ID, name: "every second", cron: "* * * * * *", jobType: "short", payload: {} };
  const scheduleId = await db.transaction(async (tx) => {
    await setQueueLimits(tx, "default", { perKey: { concurrency: PLACES } });
    await setQueueLimits(tx, NARROW_QUEUE, { concurrency: NARROW_PLACES });
    return (await saveSchedule(tx, { ...schedule, missedRuns: "run_once" })).scheduleId;
  });
  // After the schedule: as soon as the registry names any job type, it must name a schedule's.
  await offerGraphs(db.sql, GRAPH_NAMES);
  return scheduleId;
}

/**
 * Lets turns survive any number of crashes, for what a failed turn would have said is missing in all that follow it; and
 * has suspects begin with crashes.
 */
async function prepareJobs(db: Database): Promise<void> {
  await db.sql.unsafe(`
    create function chaos_prepare() returns trigger language plpgsql as $$
    begin
      if new.decision_set_id is not null then
        new.max_retries := 1000000;
        new.max_crashes := 1000000;
      elsif new.payload ? 'suspect' then
        new.crash_count := ${CRASHES_OF_SUSPECTS};
        new.max_crashes := ${2 * CRASHES_OF_SUSPECTS};
      end if;
      return new;
    end $$;
    create trigger chaos_prepare before insert on jobs for each row execute function chaos_prepare();`);
}

interface Stage {
  db: Database;
  fleet: Fleet;
  api: Api;
}

/** Has clients at work and everything tormented, until it is enough; people go on answering until they are stopped. */
async function disturb({ db, fleet, api }: Stage) {
  const history = new HistoryWriter(dataDir);
  const enough = new AbortController();
  const timer = setTimeout(() => enough.abort(), seconds * 1_000);
  const loaded = new AbortController();
  const ended = new AbortController();
  const people = answerQuestions(new Client({ name: "people", url: api.url, history }), ended.signal);
  const load = makeLoad({ db, url: api.url, history, seed, atLeast: jobs }, enough.signal).then(() => loaded.abort());
  const killing = { fleet, random, kills, say };
  const victims = { db, server, dataDir, fleet, api, history, random };
  const [strikes] = await Promise.all([
    isCalm ? {} : torment(victims, loaded.signal),
    isCalm ? undefined : killWorkers(db, killing, loaded.signal).then(() => enough.abort()),
    load,
  ]);
  clearTimeout(timer);
  const stop = async () => {
    ended.abort();
    await people;
  };
  return { strikes, answering: { stop } };
}

/** Judges the tables by what the clients and handlers wrote down, and reports what kept the run busy. */
async function check(db: Database, fleet: Fleet): Promise<string[]> {
  const history = readHistory(dataDir);
  const said = await readAcknowledged(db, history.entries);
  const graphs = await checkGraphs(db, said);
  const outcomes = await countOutcomes(db, fleet.dead);
  const seen = await checkHistory(db, history);
  report("load", { acknowledged: said.jobs.size, redriven: said.redriven.size, ...outcomes.jobs });
  report("history", seen.counts);
  report("killed runs", outcomes.kills);
  report("graph runs", { ...graphs.counts, ...outcomes.nodes });
  return [...seen.faults, ...(await checkTables(db, said)), ...graphs.faults];
}

function reportFaultPoints(fleet: Fleet): void {
  const counts = {
    "fault points": fleet.plans.count(),
    "fault points of jobs that ran alone": fleet.plans.countAlone(),
  };
  for (const [name, found] of Object.entries(counts)) {
    report(name, found);
    const missed = Object.entries(found).filter(([, count]) => count === 0);
    if (missed.length > 0) say(`${name} not reached: ${missed.map(([point]) => point).join(", ")}`);
  }
}
