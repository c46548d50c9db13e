import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { serve } from "./serve.ts";

/* A process that follows the event logs of jobs, with one connection for each reader. */
const now = () => performance.timeOrigin + performance.now();
const agent = new Agent({ keepAlive: false, maxSockets: Infinity });
const streams: IncomingMessage[] = [];
let delays: number[] = [];
let chars = 0;

async function follow(port: number, jobId: string): Promise<void> {
  const stream = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: "127.0.0.1", port, path: `/api/jobs/${jobId}/events`, agent }, resolve)
      .once("error", reject)
      .end();
  });
  if (stream.statusCode !== 200) throw new Error(`the API answered ${stream.statusCode}`);
  let rest = "";
  stream.setEncoding("utf8").on("data", (part: string) => {
    const arrived = now();
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("data: ")) continue;
      const { data } = JSON.parse(line.slice("data: ".length)) as { data: { at?: number; text?: string } | null };
      chars += data?.text?.length ?? 0;
      if (data?.at !== undefined) delays.push(arrived - data.at);
    }
  });
  stream.on("error", () => undefined);
  streams.push(stream);
}

serve(
  {
    ready: () => true,
    /** Opens `each` readers for every job; resolves once all streams have begun. */
    async open({ port, jobIds, each }: { port: number; jobIds: string[]; each: number }) {
      for (const jobId of jobIds) await Promise.all(Array.from({ length: each }, async () => follow(port, jobId)));
    },
    /** Milliseconds from the emission of a timed event to its arrival here, of the events since the last call. */
    takeDelays() {
      const taken = delays;
      delays = [];
      return taken;
    },
    /** Characters of text that have arrived so far. */
    chars: () => chars,
  },
  async () => {
    for (const stream of streams) stream.destroy();
    return Promise.resolve();
  },
);
