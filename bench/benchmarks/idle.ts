import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { atMost } from "../benchmark.ts";
import type { Benchmark } from "../benchmark.ts";
import { cpuSeconds, startProduct } from "../product.ts";
import { logBytes, findPids, logStatements, readStatements } from "../statement-log.ts";

/** The cost of an idle worker, once its polling has slowed down. */
export const idle: Benchmark = {
  name: "idle",
  async run(context) {
    const settings = { settleSeconds: context.quick ? 20 : 40, seconds: context.quick ? 20 : 60 };
    const { url, drop } = await context.createDatabase("threadmill");
    const sql = postgres(url, { max: 1, onnotice: () => undefined });
    await logStatements(sql);
    const worker = await startProduct("worker", { DATABASE_URL: url });
    await wait(settings.settleSeconds * 1_000);
    const [since, cpu, start] = [logBytes(context.serverLog), cpuSeconds(worker.pid), performance.now()];
    await wait(settings.seconds * 1_000);
    const elapsed = (performance.now() - start) / 1_000;
    const percent = ((cpuSeconds(worker.pid) - cpu) / elapsed) * 100;
    const statements = readStatements(context.serverLog, since);
    const heartbeatPids = await findPids(sql, ["threadmill-heartbeat", "threadmill-listen"]);
    await worker.stop();
    await sql.end();
    await drop();
    const others = statements.filter(({ pid }) => !heartbeatPids.has(pid));
    const perTen = (count: number) => (count / elapsed) * 10;
    return {
      settings,
      samples: {
        statements: others.map(({ text }) => text.trim().slice(0, 120)),
        heartbeats: statements.length - others.length,
      },
      figures: [
        {
          key: "idle_statements_per_10s",
          label: "idle worker, statements besides heartbeats",
          value: perTen(others.length),
          unit: "/10 s",
          target: atMost(1),
        },
        {
          key: "idle_heartbeats_per_10s",
          label: "idle worker, heartbeats of registry and LISTEN",
          value: perTen(statements.length - others.length),
          unit: "/10 s",
        },
        {
          key: "idle_cpu_percent",
          label: "idle worker, share of a core",
          value: percent,
          unit: "%",
          target: atMost(1),
        },
      ],
    };
  },
};
