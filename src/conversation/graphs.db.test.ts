import { reportWorker } from "#queue/fleet";
import { setUpQueue, WORKER } from "../../test/queue.ts";
import { checkGraph, listGraphs } from "./graphs.ts";
import { beforeEach, expect, test } from "vitest";

const queue = setUpQueue();
beforeEach(async () =>
  reportWorker(queue.db.sql, {
    ...WORKER,
    offers: [
      { jobType: "graph:fine", description: "a fine graph", error: null },
      { jobType: "graph:broken", description: null, error: "no such export" },
      { jobType: "export", description: null, error: null },
    ],
  }),
);

test("the graphs that workers offer are listed by name, with the reason why one cannot be run", async () => {
  expect(await listGraphs(queue.db.sql)).toMatchObject([
    { name: "broken", error: "no such export" },
    { name: "fine", description: "a fine graph", error: null },
  ]);
});

test("a graph that is unknown or cannot be run is refused with the reason", async () => {
  const check = async (name: string) => queue.inTx(async (tx) => checkGraph(tx, name));
  await check("fine");
  await expect(check("broken")).rejects.toThrow(/cannot be run: no such export/);
  await expect(check("export")).rejects.toThrow(/graph "export" is unknown: there are fine/);
});
