import { setTimeout as wait } from "node:timers/promises";
import { atMost } from "../benchmark.ts";
import type { Benchmark, Figure, BenchContext } from "../benchmark.ts";
import { Child } from "../child.ts";
import { freePort, loadHttp } from "../http-load.ts";
import { residentMb, startProduct } from "../product.ts";
import { openSystem } from "../systems/system.ts";

const IN_FLIGHT = 500;
const CONNECTIONS = 50;
const READS_PER_SUBMIT = 9;
const POLL_MS = 10;

/** Resident memory of a worker and of the API after much work, and after as much again. */
export const memory: Benchmark = {
  name: "memory",
  async run(context) {
    const settings = { jobs: context.quick ? 10_000 : 100_000, requests: context.quick ? 10_000 : 100_000 };
    const samples = {
      worker: await measureWorker(context, settings.jobs),
      api: await measureApi(context, settings.requests),
    };
    return {
      settings: { ...settings, inFlight: IN_FLIGHT, connections: CONNECTIONS, readsPerSubmit: READS_PER_SUBMIT },
      samples,
      figures: [
        ...toFigures("worker", samples.worker, `${settings.jobs.toLocaleString("en")} jobs`),
        ...toFigures("api", samples.api, `${settings.requests.toLocaleString("en")} requests`),
      ],
    };
  },
};

function toFigures(name: string, [first = Number.NaN, second = Number.NaN]: number[], work: string): Figure[] {
  return [
    {
      key: `memory_${name}_mb`,
      label: `resident, ${name}, after ${work}`,
      value: first,
      unit: "MB",
      target: atMost(150),
    },
    {
      key: `memory_${name}_again_mb`,
      label: `resident, ${name}, after ${work} more`,
      value: second,
      unit: "MB",
      target: atMost(150),
    },
    {
      key: `memory_${name}_growth`,
      label: `resident, ${name}, second / first`,
      value: second / first,
      unit: "×",
      target: atMost(1.1),
    },
  ];
}

async function measureWorker(context: BenchContext, jobs: number): Promise<number[]> {
  const { url, drop } = await context.createDatabase("threadmill");
  const system = await openSystem("threadmill", url);
  const child = new Child("system-child", { name: "threadmill", url });
  try {
    await child.call("work", { mode: "fast", inFlight: IN_FLIGHT });
    const resident: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      await system.fill(jobs);
      while (await system.isBusy()) await wait(POLL_MS);
      resident.push(residentMb(child.pid));
      context.log(`  worker: ${resident.at(-1)?.toFixed(0)} MB`);
    }
    return resident;
  } finally {
    await child.stop();
    await system.close();
    await drop();
  }
}

async function measureApi(context: BenchContext, amount: number): Promise<number[]> {
  const { url, drop } = await context.createDatabase("threadmill");
  const port = await freePort();
  const server = await startProduct("server", { DATABASE_URL: url, PORT: String(port) });
  try {
    const origin = `http://127.0.0.1:${port}`;
    const submit = {
      path: "/api/chat/async",
      method: "POST" as const,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "Design a spam filter" }] }),
    };
    const answer = await fetch(origin + submit.path, submit);
    const { job_id: jobId } = (await answer.json()) as { job_id: string };
    const read = { path: `/api/trpc/jobs.status?input=${encodeURIComponent(JSON.stringify({ jobId }))}` };
    const requests = [submit, ...Array.from({ length: READS_PER_SUBMIT }, () => read)];
    const resident: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      await loadHttp({ origin, requests, connections: CONNECTIONS, amount });
      resident.push(residentMb(server.pid));
      context.log(`  api: ${resident.at(-1)?.toFixed(0)} MB`);
    }
    return resident;
  } finally {
    await server.stop();
    await drop();
  }
}
