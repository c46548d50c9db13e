import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("./src", import.meta.url));
// The `imports` of package.json, resolved to sources.
const resolve = {
  alias: [
    { find: /^#env$/, replacement: `${src}/env.ts` },
    { find: /^#shared\/(.*)$/, replacement: `${src}/shared/$1.ts` },
    { find: /^#queue\/(.*)$/, replacement: `${src}/queue/$1/index.ts` },
    { find: /^#(db|queue|conversation|checkpoint|graph|tracing|worker|fault)$/, replacement: `${src}/$1/index.ts` },
  ],
};

/** Database tests that also run against the system's PostgreSQL: migrations, plans, claims, turns, LISTEN, a pooler. */
const STOCK = [
  "src/db/migrate/migrate.db.test.ts",
  "src/db/notices/listener.db.test.ts",
  "src/queue/claim/{claim,claim-plan,complete-and-claim}.db.test.ts",
  "src/queue/settle/{complete,fail,release,reap}.db.test.ts",
  "src/conversation/submit-turn.db.test.ts",
  "src/checkpoint/fenced-saver.db.test.ts",
  "src/worker/pooler.db.test.ts",
  "src/worker/run/run-job.db.test.ts",
  "src/worker/jobs/ml-workflow.db.test.ts",
  "src/server/app.db.test.ts",
];

export default defineConfig({
  resolve,
  test: {
    maxWorkers: 2,
    dangerouslyIgnoreUnhandledErrors: false,
    allowOnly: false,
    projects: [
      {
        resolve,
        test: {
          name: "unit",
          include: ["src/**/*.test.{ts,tsx}", "test/*.test.ts"],
          exclude: ["**/*.db.test.ts"],
          setupFiles: ["./test/check-leaks.ts"],
        },
      },
      {
        resolve,
        test: {
          name: "database",
          include: ["src/**/*.db.test.ts"],
          globalSetup: ["./test/postgres.ts"],
          setupFiles: ["./test/check-leaks.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve,
        test: {
          name: "compatibility",
          include: ["test/stock/*.test.ts", ...STOCK],
          globalSetup: ["./test/stock-postgres.ts"],
          setupFiles: ["./test/check-leaks.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve,
        test: {
          name: "process",
          include: ["e2e/**/*.process.test.ts"],
          setupFiles: ["./test/check-leaks.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
