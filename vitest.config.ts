import { defineConfig } from "vitest/config";

const resolve = { conditions: ["source", "module", "node", "development|production"] };
const shared = { resolve, ssr: { resolve: { conditions: resolve.conditions, externalConditions: ["source"] } } };

export default defineConfig({
  ...shared,
  test: {
    maxWorkers: 2,
    projects: [
      { ...shared, test: { name: "unit", include: ["src/**/*.test.{ts,tsx}", "test/*.test.ts"], exclude: ["**/*.db.test.ts"] } },
      {
        ...shared,
        test: { name: "database", include: ["src/**/*.db.test.ts"], globalSetup: "./test/postgres.ts", testTimeout: 30_000, hookTimeout: 60_000 },
      },
    ],
  },
});
