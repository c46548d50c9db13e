import { migrate, startEmbeddedPostgres } from "#db";
import { migrateCheckpoints } from "#checkpoint";
import { openThreadmill } from "./systems/threadmill.ts";
const server = await startEmbeddedPostgres({ dataDir: process.argv[2]! });
await migrate({ url: server.url, also: migrateCheckpoints });
const sys = await openThreadmill(server.url);
const N = Number(process.argv[3] ?? 30000);
for (let round = 0; round < 3; round++) {
  await sys.fill(N);
  let n = 0,
    t0 = 0;
  let done: () => void;
  const all = new Promise<void>((r) => (done = r));
  const cpu0 = process.cpuUsage();
  const stop = await sys.work({
    mode: "fast",
    inFlight: 500,
    onRun: () => {
      if (n++ === 0) t0 = performance.now();
      if (n === N) done();
    },
  } as never);
  await all;
  while (await sys.busy());
  const ms = performance.now() - t0;
  const cpu = process.cpuUsage(cpu0);
  console.log(
    Math.round((N / ms) * 1000),
    "jobs/s; node cpu",
    Math.round(((cpu.user + cpu.system) / 1000 / ms) * 100),
    "%",
  );
  await stop();
}
await sys.close();
await server.stop();
process.exit(0);
