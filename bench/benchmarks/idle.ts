import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { atMost } from "../benchmark.ts";
import type { Benchmark } from "../benchmark.ts";
import { cpuSeconds, startProduct } from "../product.ts";
import { endOfLog, findPids, logStatements, readStatements } from "../statement-log.ts";

/** What a worker costs that has nothing to do: the product's own process, once its looks have become rare. */
export const idle: Benchmark = {
  name: "idle",
  async run(stage) {
    const settings = { settleSeconds: stage.quick ? 20 : 40, seconds: stage.quick ? 20 : 60 };
    const { url, drop } = await stage.room("threadmill");
    const sql = postgres(url, { max: 1, onnotice: () => undefined });
    await logStatements(sql);
    const worker = await startProduct("worker", { DATABASE_URL: url });
    await wait(settings.settleSeconds * 1_000);
    const [since, cpu, start] = [endOfLog(stage.log), cpuSeconds(worker.pid), performance.now()];
    await wait(settings.seconds * 1_000);
    const elapsed = (performance.now() - start) / 1_000;
    const percent = ((cpuSeconds(worker.pid) - cpu) / elapsed) * 100;
    const statements = readStatements(stage.log, since);
    const beating = await findPids(sql, ["threadmill-heartbeat", "threadmill-listen"]);
    await worker.stop();
    await sql.end();
    await drop();
    const others = statements.filter(({ pid }) => !beating.has(pid));
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
          says: "idle worker, statements besides heartbeats",
          value: perTen(others.length),
          unit: "/10 s",
          target: atMost(1),
        },
        {
          key: "idle_heartbeats_per_10s",
          says: "idle worker, heartbeats of registry and LISTEN",
          value: perTen(statements.length - others.length),
          unit: "/10 s",
        },
        { key: "idle_cpu_percent", says: "idle worker, share of a core", value: percent, unit: "%", target: atMost(1) },
      ],
    };
  },
};
