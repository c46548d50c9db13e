import { submitTurn } from "#conversation";
import type { Database } from "#queue";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { chatRequestSchema } from "#shared/contracts";
import { idSchema } from "#shared/fields";
import type { ChatRequest, JobStatusView, Submitted } from "#shared/contracts";
import { idempotencyKeySchema, toSnakeCase } from "#shared/rest";
import type { ChatReply, ChatSubmitted, ChatWithoutReply, Fault } from "#shared/rest";
import type { Tracer } from "#tracing";
import type { Callers } from "../http/callers.ts";
import type { FaultLog } from "../observe/fault-log.ts";
import type { JobFeeds } from "../live/job-feeds.ts";
import type { JobReads } from "../live/job-reads.ts";
import { traceSubmit } from "../trpc/trace-submit.ts";
import { describeFaults } from "../trpc/trpc.ts";
import { waitForEnd } from "../live/wait-for-end.ts";

interface RestOptions {
  db: Database;
  reads: JobReads;
  feeds: JobFeeds;
  faults: FaultLog;
  ownerId: string;
  callers: Callers;
  /** Absent where nothing is traced. */
  tracer: Tracer | undefined;
}

const NOT_FOUND: Fault = { detail: "Job not found", reason: "job_id must be a UUID" };

/** The REST face: snake_case, the shapes that existing clients already use. */
export function addRest(app: FastifyInstance, options: RestOptions): void {
  const { db, reads, feeds, faults, ownerId, callers, tracer } = options;
  const submit = async ({ body, idempotencyKey }: Chat, request: FastifyRequest): Promise<Submitted> => {
    const turn = {
      ownerId,
      idempotencyKey,
      graph: body.graph ?? undefined,
      content: body.messages.at(-1)?.content ?? "",
      history: body.messages.slice(0, -1),
      threadId: body.thread_id ?? undefined,
    };
    const entry = `${request.method} ${request.routeOptions.url ?? ""}`;
    const submitted = await traceSubmit({ tracer, headers: request.headers, entry }, async (traceContext) =>
      db.transaction((tx) => submitTurn(tx, { ...turn, traceContext })),
    );
    request.log.info({ jobId: submitted.jobId, threadId: submitted.threadId }, "job submitted");
    return submitted;
  };

  app.post("/api/chat", async (request, reply) => {
    const chat = parseChat(request, reply);
    if (!chat) return reply;
    const { jobId, threadId } = await submit(chat, request);
    const signal = callers.whenGone(reply);
    const job = await waitForEnd({ reads, feeds, ownerId, jobId, signal });
    if (job.status === "completed") {
      const messages: ChatReply["messages"] = [...chat.body.messages, { role: "assistant", content: job.reply ?? "" }];
      return { messages, thread_id: threadId } satisfies ChatReply;
    }
    const detail =
      job.status === "failed" || job.status === "cancelled"
        ? `The job ${job.status}: ${job.error ?? "no error was recorded"}`
        : "The job has not ended yet: ask for its status";
    if (!signal.aborted) faults.report(Object.assign(new Error(detail), { name: "NoReply" }), request);
    return reply
      .code(job.completedAt === null ? 504 : 500)
      .send({ detail, job_id: jobId, thread_id: threadId, status: job.status } satisfies ChatWithoutReply);
  });

  app.post("/api/chat/async", async (request, reply) => {
    const chat = parseChat(request, reply);
    if (!chat) return reply;
    const job = await submit(chat, request);
    const { decisionSetId, threadId, jobId, status } = job;
    return { decision_set_id: decisionSetId, thread_id: threadId, job_id: jobId, status } satisfies ChatSubmitted;
  });

  app.get<{ Params: { job_id: string } }>("/api/jobs/:job_id/status", async (request, reply) => {
    const jobId = idSchema("job_id").safeParse(request.params.job_id);
    if (!jobId.success) return reply.code(404).send(NOT_FOUND);
    return inSnakeCase(await reads.status({ ownerId, jobId: jobId.data }));
  });
}

interface Chat {
  body: ChatRequest;
  idempotencyKey: string | undefined;
}

/** What was sent; answers with its faults, and returns undefined, where there are some. */
function parseChat(request: FastifyRequest, reply: FastifyReply): Chat | undefined {
  const body = chatRequestSchema.safeParse(request.body);
  const key = idempotencyKeySchema.safeParse(request.headers["idempotency-key"]);
  if (body.success && key.success) return { body: body.data, idempotencyKey: key.data };
  const isObject = typeof request.body === "object" && request.body !== null;
  const faults = [body, key].flatMap(({ error }) => (error ? [describeFaults(error)] : []));
  const detail = isObject ? faults.join("; ") : "body: must be a JSON object with messages, sent as application/json";
  void reply.code(422).send({ detail });
  return undefined;
}

function inSnakeCase(job: JobStatusView): Record<string, unknown> {
  return Object.fromEntries(Object.entries(job).map(([key, value]) => [toSnakeCase(key), value]));
}
