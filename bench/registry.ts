import type { Benchmark } from "./benchmark.ts";
import { bulkEnqueue } from "./benchmarks/bulk-enqueue.ts";
import { single } from "./benchmarks/single.ts";
import { startLatency } from "./benchmarks/start-latency.ts";
import { throughput } from "./benchmarks/throughput.ts";

/** All benchmarks, in the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [throughput, single, startLatency, bulkEnqueue];
