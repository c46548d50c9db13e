import type { FleetFigures } from "#queue/read";
import { Gauge, Registry } from "prom-client";

type Sample = [labels: Record<string, string>, value: number | null];

/** The database's figures in Prometheus's text format, their lines alone; what is null is left out. */
export async function renderFigures({ jobs, deadLetters, queues, workers }: FleetFigures): Promise<string> {
  // Made anew for each scrape: a queue that is gone, or a figure that could not be read, must not stay.
  const registry = new Registry();
  const gauge = (name: string, help: string, samples: Sample[]) => {
    const labelNames = [...new Set(samples.flatMap(([labels]) => Object.keys(labels)))];
    const made = new Gauge({ name: `threadmill_${name}`, help, labelNames, registers: [registry] });
    for (const [labels, value] of samples) if (value !== null) made.set(labels, value);
  };
  gauge(
    "jobs",
    "Jobs by status, each counted to 10000; completed ones of a large table are estimated.",
    Object.entries(jobs).map(([status, count]) => [{ status }, count]),
  );
  gauge("dead_letters", "Failed jobs that were neither queued again nor put aside, counted to 10000.", [
    [{}, deadLetters],
  ]);
  gauge(
    "queue_ready_jobs",
    "Jobs that a worker may claim, counted to 10000.",
    queues.map(({ queue, ready }) => [{ queue }, ready]),
  );
  gauge(
    "queue_oldest_ready_age_seconds",
    "How long ago the ready job that has waited longest became due; 0 when none is ready.",
    queues.map(({ queue, oldestReadyMs }) => [{ queue }, (oldestReadyMs ?? 0) / 1000]),
  );
  gauge(
    "queue_running_jobs",
    "Jobs that a worker holds.",
    queues.map(({ queue, running }) => [{ queue }, running]),
  );
  gauge("workers_alive", "Workers whose heartbeat is recent.", [[{}, workers.alive]]);
  gauge("worker_slots", "How many jobs the live workers can run at once.", [[{}, workers.slots]]);
  return registry.metrics();
}
