import { DatabaseUnavailableError } from "#queue";
import { setTimeout as wait } from "node:timers/promises";
import { createTRPCClient, httpLink, TRPCClientError } from "@trpc/client";
import type { AppRouter } from "#server/router";
import type { GraphName } from "../jobs/graphs.ts";
import { nowMs } from "../history.ts";
import type { Entry, HistoryWriter } from "../history.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const RETRY_DELAY_MS = 250;

export interface ClientOptions {
  name: string;
  /** The URL of the API. */
  url: string;
  history: HistoryWriter;
}

export interface Turn {
  threadId: string;
  graph: GraphName | null;
  content: string;
  key: string;
}

type Api = ReturnType<typeof createTRPCClient<AppRouter>>;
type Request = Pick<Entry, "verb" | "jobIds" | "turn" | "mark">;
/** The additional fields of an answered request. */
type Answered = Partial<Pick<Entry, "jobIds" | "status" | "reply">>;

/** A user of the API. It repeats each request until it gets an answer, and records every attempt. */
export class Client {
  readonly #options: ClientOptions;
  readonly api: Api;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.api = createTRPCClient<AppRouter>({ links: [httpLink({ url: `${options.url}/api/trpc` })] });
  }

  async submit(turn: Turn): Promise<string | undefined> {
    const { threadId, graph, content, key } = turn;
    const input = { threadId, content, graph: graph ?? undefined, idempotencyKey: key };
    const done = await this.send(
      { verb: "submit", jobIds: [], turn },
      async (signal) => this.api.chat.submit.mutate(input, { signal }),
      ({ jobId }) => ({ jobIds: [jobId] }),
    );
    return done?.jobId;
  }

  async cancel(jobId: string): Promise<void> {
    await this.send(
      { verb: "cancel", jobIds: [jobId] },
      async (signal) => this.api.jobs.cancel.mutate({ jobId }, { signal }),
      ({ status }) => ({ status }),
    );
  }

  async retry(jobId: string): Promise<void> {
    await this.send({ verb: "retry", jobIds: [jobId] }, async (signal) =>
      this.api.jobs.retry.mutate({ jobId }, { signal }),
    );
  }

  async answer(jobId: string, interruptId: string, answers: string): Promise<void> {
    await this.send({ verb: "answer", jobIds: [jobId] }, async (signal) =>
      this.api.chat.answer.mutate({ jobId, interruptId, answers }, { signal }),
    );
  }

  async status(jobId: string) {
    return this.send(
      { verb: "status", jobIds: [jobId] },
      async (signal) => this.api.jobs.status.query({ jobId }, { signal }),
      ({ status, reply }) => ({ status, reply }),
    );
  }

  /** Repeats a request until it is answered or refused; undefined when refused. */
  async send<T>(
    request: Request,
    call: (signal: AbortSignal) => Promise<T>,
    read: (answer: T) => Answered = () => ({}),
  ): Promise<T | undefined> {
    for (;;) {
      const sent = await this.sendOnce(request, call, read);
      if (sent.outcome === "answered") return sent.answer;
      if (sent.outcome === "refused") return undefined;
      await wait(RETRY_DELAY_MS);
    }
  }

  /** Sends a request once. */
  async sendOnce<T>(
    request: Request,
    call: (signal: AbortSignal) => Promise<T>,
    read: (answer: T) => Answered = () => ({}),
  ): Promise<{ outcome: "answered"; answer: T } | { outcome: "refused" | "lost" }> {
    const { name: client, history } = this.#options;
    const sentMs = nowMs();
    const times = () => ({ client, sentMs, endedMs: nowMs() });
    try {
      const answer = await call(AbortSignal.timeout(REQUEST_TIMEOUT_MS));
      history.addEntry({ ...request, ...times(), outcome: "answered", ...read(answer) });
      return { outcome: "answered", answer };
    } catch (error) {
      const failure = readFailure(error);
      history.addEntry({ ...request, ...times(), ...failure });
      return failure;
    }
  }
}

/** Tells whether a failed request was refused, or lost and may have taken effect. */
function readFailure(error: unknown): { outcome: "refused" | "lost"; code?: string | undefined } {
  if (error instanceof DatabaseUnavailableError) return { outcome: "lost" };
  if (!(error instanceof TRPCClientError)) throw error;
  const code = (error as TRPCClientError<AppRouter>).data?.code;
  const isLost = code === undefined || code === "SERVICE_UNAVAILABLE" || code === "INTERNAL_SERVER_ERROR";
  return { outcome: isLost ? "lost" : "refused", code };
}
