import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import autocannon from "autocannon";
import { percentile } from "./statistics.ts";

export interface HttpSample {
  perSecond: number;
  p50: number;
  p95: number;
  p99: number;
  /** Requests that were refused or got no answer. */
  failed: number;
}

export interface HttpLoad {
  origin: string;
  requests: autocannon.Request[];
  connections: number;
  /** The duration or the number of requests: one of the two. */
  seconds?: number;
  amount?: number;
  /** Requests a second of all connections together. Unless given, each request waits for the previous response. */
  perSecond?: number;
}

const TIMEOUT_SECONDS = 60;

/** Sends the requests in turn. Each connection sends the next one after its answer, or at the given pace. */
export async function loadHttp({
  origin,
  requests,
  connections,
  seconds,
  amount,
  perSecond,
}: HttpLoad): Promise<HttpSample> {
  const times: number[] = [];
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const options = {
      url: origin,
      requests,
      connections,
      timeout: TIMEOUT_SECONDS,
      ...(seconds !== undefined && { duration: seconds }),
      ...(amount !== undefined && { amount }),
      ...(perSecond !== undefined && { overallRate: perSecond }),
    };
    const run = autocannon(options, (error: Error | null, ended) => (error ? reject(error) : resolve(ended)));
    run.on("response", (...[, , , responseMs]) => times.push(responseMs));
  });
  return {
    perSecond: result["2xx"] / result.duration,
    p50: percentile(times, 0.5),
    p95: percentile(times, 0.95),
    p99: percentile(times, 0.99),
    failed: result.non2xx + result.errors,
  };
}

/** A port that nothing uses at the moment. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => {
    probe.listen(0, "127.0.0.1", done);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => {
    probe.close(done);
  });
  return port;
}
