import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import { buildApp } from "../src/server/app.ts";
import type { AppOptions } from "../src/server/app.ts";
import { openQueue } from "./queue.ts";

/** The result of a tRPC call: `data` of a success, or `message` of an error. */
export interface Answer {
  status: number;
  data: unknown;
  message: string | undefined;
}

/** Opens the API over a new test database. The log is silent by default. */
export async function openApp(options: Partial<AppOptions> = {}) {
  const queue = await openQueue();
  const app = await buildApp({ db: queue.db, logLevel: "silent", ...options });
  return {
    app,
    queue,
    mutate: async (path: string, input: object): Promise<Answer> =>
      readAnswer(await app.inject({ method: "POST", url: trpcUrl(path), payload: input })),
    query: async (path: string, input?: object): Promise<Answer> =>
      readAnswer(await app.inject({ url: trpcUrl(path, input) })),
    async close() {
      await app.close();
      await queue.close();
    },
  };
}

/** Returns the path of a tRPC call, with the input of a query. */
export function trpcUrl(path: string, input?: unknown): string {
  return `/api/trpc/${path}${input === undefined ? "" : `?input=${encodeURIComponent(JSON.stringify(input))}`}`;
}

/** Listens on a free port of this machine. */
export async function listenOnFreePort(app: FastifyInstance): Promise<number> {
  return Number(new URL(await app.listen({ host: "127.0.0.1", port: 0 })).port);
}

function readAnswer(response: LightMyRequestResponse): Answer {
  const { result, error } = response.json<{ result?: { data: unknown }; error?: { message: string } }>();
  return { status: response.statusCode, data: result?.data, message: error?.message };
}
