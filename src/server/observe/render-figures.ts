import type { FleetFigures } from "#queue/read";
import { Gauge, Registry } from "prom-client";

type Sample = [labels: Record<string, string>, value: number | null];

/** Renders the database's figures in Prometheus's text format, without the figures that are null. */
export async function renderFigures({ jobs, deadLetters, queues, workers }: FleetFigures): Promise<string> {
  // A new registry per scrape: the figures of a deleted queue, or figures that are now unknown, must disappear.
  const registry = new Registry();
  const gauge = (name: string, help: string, samples: Sample[]) => {
    const labelNames = [...new Set(samples.flatMap(([labels]) => Object.keys(labels)))];
    const metric = new Gauge({ name: `threadmill_${name}`, help, labelNames, registers: [registry] });
    for (const [labels, value] of samples) if (value !== null) metric.set(labels, value);
  };
  gauge(
    "jobs",
    "Jobs by status, counted up to 10000; completed jobs of a large table are estimated.",
    Object.entries(jobs).map(([status, count]) => [{ status }, count]),
  );
  gauge("dead_letters", "Failed jobs that were neither redriven nor discarded, counted up to 10000.", [
    [{}, deadLetters],
  ]);
  gauge(
    "queue_ready_jobs",
    "Jobs that a worker may claim, counted up to 10000.",
    queues.map(({ queue, ready }) => [{ queue }, ready]),
  );
  gauge(
    "queue_oldest_ready_age_seconds",
    "Time since the longest-waiting ready job became due; 0 when no job is ready.",
    queues.map(({ queue, oldestReadyMs }) => [{ queue }, (oldestReadyMs ?? 0) / 1000]),
  );
  gauge(
    "queue_running_jobs",
    "Jobs that a worker runs.",
    queues.map(({ queue, running }) => [{ queue }, running]),
  );
  gauge("workers_alive", "Workers with a recent heartbeat.", [[{}, workers.alive]]);
  gauge("worker_slots", "Number of jobs that the live workers can run at once.", [[{}, workers.slots]]);
  return registry.metrics();
}
