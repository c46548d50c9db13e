import type { Benchmark } from "./benchmark.ts";
import { api } from "./benchmarks/api.ts";
import { bulkEnqueue } from "./benchmarks/bulk-enqueue.ts";
import { chatTurn } from "./benchmarks/chat-turn.ts";
import { claimCost } from "./benchmarks/claim-cost.ts";
import { eventReaders } from "./benchmarks/event-readers.ts";
import { fairness } from "./benchmarks/fairness.ts";
import { heldSnapshot } from "./benchmarks/held-snapshot.ts";
import { idle } from "./benchmarks/idle.ts";
import { latencyUnderLoad } from "./benchmarks/latency-under-load.ts";
import { memory } from "./benchmarks/memory.ts";
import { processes } from "./benchmarks/processes.ts";
import { single } from "./benchmarks/single.ts";
import { startLatency } from "./benchmarks/start-latency.ts";
import { turnStatements } from "./benchmarks/turn-statements.ts";
import { throughput } from "./benchmarks/throughput.ts";

/** All benchmarks, in the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [
  throughput,
  single,
  startLatency,
  latencyUnderLoad,
  bulkEnqueue,
  claimCost,
  heldSnapshot,
  fairness,
  processes,
  idle,
  chatTurn,
  turnStatements,
  eventReaders,
  api,
  memory,
];
