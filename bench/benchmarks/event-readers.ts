import { setTimeout as wait } from "node:timers/promises";
import { atMost } from "../benchmark.ts";
import type { Benchmark, Figure } from "../benchmark.ts";
import { Child } from "../child.ts";
import { freePort } from "../http-load.ts";
import { residentMb, startProduct } from "../product.ts";
import { median, percentile } from "../statistics.ts";

const JOBS = 50;
const READERS_EACH = 10;
/** The first fills what the API keeps of each log and lets its heap find its size. */
const ROUNDS = 4;
const LOOK_EVERY_MS = 20;
const LIMIT_MS = 60_000;

interface Sample {
  /** From a run's emitting its first event to the arrival at a reader, in milliseconds. */
  firstMs: number[];
  /** The API's resident memory after each round in which all jobs told and all readers had heard it. */
  memoryMb: number[];
}

/** 500 readers of one API process, over a connection each, follow the logs of 50 jobs that a worker runs. */
export const eventReaders: Benchmark = {
  name: "event-readers",
  async run(stage) {
    const settings = { jobs: JOBS, readersEach: READERS_EACH, rounds: ROUNDS, tokensEach: stage.quick ? 600 : 2_000 };
    const { url, drop } = await stage.room("threadmill");
    const port = await freePort();
    const server = await startProduct("server", { DATABASE_URL: url, PORT: String(port) });
    const [speaker, readers] = [new Child("speaker-child", { url, jobs: JOBS }), new Child("readers-child", {})];
    try {
      const jobIds = await speaker.call<string[]>("start");
      await readers.call("open", { port, jobIds, each: READERS_EACH });
      await stage.settle();
      const firstMs = await measureFirst(speaker, readers, jobIds);
      stage.say(`  first event: p50 ${median(firstMs).toFixed(2)} ms, p99 ${percentile(firstMs, 0.99).toFixed(2)} ms`);
      const memoryMb: number[] = [];
      let written = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        written += await speaker.call<number>("speak", settings.tokensEach);
        await hearAll(readers, JOBS * READERS_EACH * written);
        memoryMb.push(residentMb(server.pid));
        stage.say(`  api: ${memoryMb.at(-1)?.toFixed(0)} MB`);
      }
      const sample = { firstMs, memoryMb };
      return { settings, samples: { ...sample }, figures: toFigures(sample) };
    } finally {
      await Promise.all([readers.stop(), speaker.stop()]);
      await server.stop();
      await drop();
    }
  },
};

/** One job after the other tells for the first time, while all readers are there. */
async function measureFirst(speaker: Child, readers: Child, jobIds: readonly string[]): Promise<number[]> {
  const delays: number[] = [];
  for (const jobId of jobIds) {
    await speaker.call("first", jobId);
    const due = delays.length + READERS_EACH;
    for (let look = 0; delays.length < due && look < LIMIT_MS; look += LOOK_EVERY_MS) {
      await wait(LOOK_EVERY_MS);
      delays.push(...(await readers.call<number[]>("takeDelays")));
    }
  }
  return delays;
}

async function hearAll(readers: Child, chars: number): Promise<void> {
  const since = performance.now();
  while ((await readers.call<number>("chars")) < chars) {
    if (performance.now() - since > LIMIT_MS) throw new Error("the readers did not get every token");
    await wait(LOOK_EVERY_MS);
  }
}

function toFigures({ firstMs, memoryMb }: Sample): Figure[] {
  const [, second = Number.NaN] = memoryMb;
  const last = memoryMb.at(-1) ?? Number.NaN;
  return [
    {
      key: "event_first_p50_ms",
      says: "first event at its readers p50, 500 readers",
      value: median(firstMs),
      unit: "ms",
      target: atMost(15),
    },
    {
      key: "event_first_p99_ms",
      says: "first event at its readers p99, 500 readers",
      value: percentile(firstMs, 0.99),
      unit: "ms",
    },
    { key: "memory_readers_mb", says: "resident, api, 500 readers, after the second round", value: second, unit: "MB" },
    {
      key: "memory_readers_growth",
      says: "resident, api, 500 readers, last round / second",
      value: last / second,
      unit: "×",
      target: atMost(1.1),
    },
  ];
}
