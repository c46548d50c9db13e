import { setTimeout as wait } from "node:timers/promises";
import { atMost } from "../benchmark.ts";
import type { Benchmark, Figure } from "../benchmark.ts";
import { Child } from "../child.ts";
import { freePort } from "../http-load.ts";
import { residentMb, startProduct } from "../product.ts";
import { median, percentile } from "../statistics.ts";

const JOBS = 50;
const READERS_EACH = 10;
/** The first round fills the API's caches and lets its heap grow. */
const ROUNDS = 4;
const POLL_MS = 20;
const DEADLINE_MS = 60_000;

interface Sample {
  /** Milliseconds from the emission of a run's first event to its arrival at a reader. */
  firstMs: number[];
  /** The API's resident memory after each round, in megabytes. */
  memoryMb: number[];
}

/** 500 readers of one API process, with a connection each, follow the event logs of 50 running jobs. */
export const eventReaders: Benchmark = {
  name: "event-readers",
  async run(context) {
    const settings = { jobs: JOBS, readersEach: READERS_EACH, rounds: ROUNDS, tokensEach: context.quick ? 600 : 2_000 };
    const { url, drop } = await context.createDatabase("threadmill");
    const port = await freePort();
    const server = await startProduct("server", { DATABASE_URL: url, PORT: String(port) });
    const [emitter, readers] = [new Child("emitter-child", { url, jobs: JOBS }), new Child("readers-child", {})];
    try {
      const jobIds = await emitter.call<string[]>("start");
      await readers.call("open", { port, jobIds, each: READERS_EACH });
      await context.settle();
      const firstMs = await measureFirst(emitter, readers, jobIds);
      context.log(
        `  first event: p50 ${median(firstMs).toFixed(2)} ms, p99 ${percentile(firstMs, 0.99).toFixed(2)} ms`,
      );
      const memoryMb: number[] = [];
      let written = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        written += await emitter.call<number>("emitTokens", settings.tokensEach);
        await waitForAll(readers, JOBS * READERS_EACH * written);
        memoryMb.push(residentMb(server.pid));
        context.log(`  api: ${memoryMb.at(-1)?.toFixed(0)} MB`);
      }
      const sample = { firstMs, memoryMb };
      return { settings, samples: { ...sample }, figures: toFigures(sample) };
    } finally {
      await Promise.all([readers.stop(), emitter.stop()]);
      await server.stop();
      await drop();
    }
  },
};

/** One job after the other emits its first event while all readers are connected. */
async function measureFirst(emitter: Child, readers: Child, jobIds: readonly string[]): Promise<number[]> {
  const delays: number[] = [];
  for (const jobId of jobIds) {
    await emitter.call("emitTimed", jobId);
    const due = delays.length + READERS_EACH;
    for (let waitedMs = 0; delays.length < due && waitedMs < DEADLINE_MS; waitedMs += POLL_MS) {
      await wait(POLL_MS);
      delays.push(...(await readers.call<number[]>("takeDelays")));
    }
  }
  return delays;
}

async function waitForAll(readers: Child, chars: number): Promise<void> {
  const since = performance.now();
  while ((await readers.call<number>("chars")) < chars) {
    if (performance.now() - since > DEADLINE_MS) throw new Error("the readers did not get every token");
    await wait(POLL_MS);
  }
}

function toFigures({ firstMs, memoryMb }: Sample): Figure[] {
  const [, second = Number.NaN] = memoryMb;
  const last = memoryMb.at(-1) ?? Number.NaN;
  return [
    {
      key: "event_first_p50_ms",
      label: "first event at its readers p50, 500 readers",
      value: median(firstMs),
      unit: "ms",
      target: atMost(15),
    },
    {
      key: "event_first_p99_ms",
      label: "first event at its readers p99, 500 readers",
      value: percentile(firstMs, 0.99),
      unit: "ms",
    },
    {
      key: "memory_readers_mb",
      label: "resident, api, 500 readers, after the second round",
      value: second,
      unit: "MB",
    },
    {
      key: "memory_readers_growth",
      label: "resident, api, 500 readers, last round / second",
      value: last / second,
      unit: "×",
      target: atMost(1.1),
    },
  ];
}
