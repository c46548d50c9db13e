import { Database } from "#db";
import { atLeast, atMost } from "../benchmark.ts";
import type { Benchmark, Figure, BenchContext } from "../benchmark.ts";
import { Child } from "../child.ts";
import { addRows, FILL_LIMIT_MS, vacuum } from "../fill-table.ts";
import { freePort, loadHttp } from "../http-load.ts";
import type { HttpSample } from "../http-load.ts";
import { startProduct } from "../product.ts";
import { interleave } from "../interleave.ts";
import { median } from "../statistics.ts";

const IDS = 200;
const WARM_UP_SECONDS = 2;
/** Requests a second of 50 pages that poll ten times a second. */
const PACE = 500;

/** The API's two busiest reads on a full table by many clients, beside a bare Fastify that sends the same SQL. */
export const api: Benchmark = {
  name: "api",
  async run(context) {
    const settings = {
      rows: context.quick ? 100_000 : 1_000_000,
      connections: 50,
      seconds: context.quick ? 2 : 5,
      rounds: context.quick ? 2 : 3,
    };
    const { url, drop } = await context.createDatabase("threadmill");
    const ids = await fill(url, settings.rows);
    const port = await freePort();
    const server = await startProduct("server", { DATABASE_URL: url, PORT: String(port) });
    const bare = new Child("bare-child", { url });
    try {
      const product = `http://127.0.0.1:${port}`;
      const bareOrigin = `http://127.0.0.1:${await bare.call<number>("port")}`;
      const paths = {
        status: ids.map((id) => `/api/trpc/jobs.status?input=${encodeURIComponent(JSON.stringify({ jobId: id }))}`),
        list: [`/api/trpc/jobs.list?input=${encodeURIComponent(JSON.stringify({ limit: 50 }))}`],
        bareStatus: ids.map((id) => `/status?id=${id}`),
        bareList: ["/list"],
      };
      const load = async (
        origin: string,
        name: keyof typeof paths,
        options: { seconds?: number; perSecond?: number } = {},
      ) => {
        await context.settle();
        return loadHttp({ ...settings, ...options, origin, requests: paths[name].map((path) => ({ path })) });
      };
      const cases = {
        status: async () => load(product, "status"),
        pacedStatus: async () => load(product, "status", { perSecond: PACE }),
        bareStatus: async () => load(bareOrigin, "bareStatus"),
        list: async () => load(product, "list"),
        bareList: async () => load(bareOrigin, "bareList"),
      };
      const warmUp = { seconds: WARM_UP_SECONDS };
      for (const name of ["status", "list"] as const) await load(product, name, warmUp);
      for (const name of ["bareStatus", "bareList"] as const) await load(bareOrigin, name, warmUp);
      const samples = await interleave(cases, settings.rounds, (name, sample) => logSample(context, name, sample));
      return { settings, samples, figures: toFigures(samples) };
    } finally {
      await bare.stop();
      await server.stop();
      await drop();
    }
  },
};

function logSample(context: BenchContext, name: string, { perSecond, p95, failed }: HttpSample): void {
  context.log(`  ${name}: ${Math.round(perSecond)} requests/s, p95 ${p95.toFixed(1)} ms, ${failed} failed`);
}

/** Stores ended jobs; returns the ids of some. */
async function fill(url: string, rows: number): Promise<string[]> {
  const db = new Database({ url, maxConnections: 1, deadlineMs: FILL_LIMIT_MS });
  await addRows(db, "finished", rows);
  await vacuum(db);
  const found = await db.sql<{ id: string }[]>`select id from jobs order by id limit ${IDS}`;
  await db.close();
  return found.map((row) => row.id);
}

function toFigures(
  samples: Record<"status" | "pacedStatus" | "list" | "bareStatus" | "bareList", HttpSample[]>,
): Figure[] {
  const of = (name: keyof typeof samples, key: keyof HttpSample) => median(samples[name].map((sample) => sample[key]));
  const [status, list] = [
    of("status", "perSecond") / of("bareStatus", "perSecond"),
    of("list", "perSecond") / of("bareList", "perSecond"),
  ];
  return [
    { key: "api_status_per_second", label: "jobs.status", value: of("status", "perSecond"), unit: "requests/s" },
    {
      key: "api_status_p95_ms",
      label: "jobs.status p95, 50 clients at full speed",
      value: of("status", "p95"),
      unit: "ms",
      target: atMost(10),
    },
    {
      key: "api_status_paced_p95_ms",
      label: `jobs.status p95, 50 clients that send ${PACE} requests/s together`,
      value: of("pacedStatus", "p95"),
      unit: "ms",
    },
    { key: "bare_status_p95_ms", label: "the same by bare Fastify, p95", value: of("bareStatus", "p95"), unit: "ms" },
    { key: "api_list_per_second", label: "jobs.list of 50", value: of("list", "perSecond"), unit: "requests/s" },
    {
      key: "api_list_p95_ms",
      label: "jobs.list of 50 p95, 50 clients",
      value: of("list", "p95"),
      unit: "ms",
      target: atMost(50),
    },
    { key: "bare_list_p95_ms", label: "the same by bare Fastify, p95", value: of("bareList", "p95"), unit: "ms" },
    { key: "api_status_vs_bare_fastify", label: "jobs.status requests/s / bare Fastify", value: status, unit: "×" },
    { key: "api_list_vs_bare_fastify", label: "jobs.list requests/s / bare Fastify", value: list, unit: "×" },
    {
      key: "api_vs_bare_fastify",
      label: "the lower of both / bare Fastify",
      value: Math.min(status, list),
      unit: "×",
      target: atLeast(0.6),
    },
    {
      key: "api_failed_requests",
      label: "requests that the API refused, all rounds",
      value: [...samples.status, ...samples.list].reduce((sum, { failed }) => sum + failed, 0),
      unit: "",
    },
  ];
}
