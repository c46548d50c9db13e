/*
 * rest/ owns the REST API: snake_case shapes, HTTP status codes, server-sent events and the OpenAPI document. It calls
 * the same verbs and reads as `trpc/`, and imports nothing from there. Invariant: `openapi.db.test.ts` compares every
 * response with the document.
 */
import { submitTurn } from "#conversation";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { chatRequestSchema } from "#shared/contracts";
import { idSchema } from "#shared/fields";
import type { ChatRequest, JobStatusView, Submitted } from "#shared/contracts";
import { idempotencyKeySchema, toSnakeCase } from "#shared/rest";
import type { ChatReply, ChatSubmitted, ChatWithoutReply, Fault } from "#shared/rest";
import { describeIssues } from "../http/describe-issues.ts";
import { waitForEnd } from "../live/wait-for-end.ts";
import { traceSubmit } from "../observe/trace-submit.ts";
import type { Services } from "../services.ts";

export const MALFORMED_JOB_ID: Fault = { detail: "Job not found", reason: "job_id must be a UUID" };

/** Adds the chat and status routes, in the shapes that existing clients expect. */
export function addRest(app: FastifyInstance, services: Services): void {
  const { db, reads, feeds, errors, ownerId, callers, tracer } = services;
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
    const submitted = await traceSubmit({ tracer, headers: request.headers }, entry, async (traceContext) =>
      db.transaction((tx) => submitTurn(tx, { ...turn, traceContext })),
    );
    request.log.info({ jobId: submitted.jobId, threadId: submitted.threadId }, "job submitted");
    return submitted;
  };

  app.post("/api/chat", async (request, reply) => {
    const chat = parseChat(request, reply);
    if (!chat) return reply;
    const { jobId, threadId } = await submit(chat, request);
    const signal = callers.signalFor(reply);
    const job = await waitForEnd({ reads, feeds, ownerId, jobId, signal });
    if (job.status === "completed") {
      const messages: ChatReply["messages"] = [...chat.body.messages, { role: "assistant", content: job.reply ?? "" }];
      return { messages, thread_id: threadId } satisfies ChatReply;
    }
    const detail =
      job.status === "failed" || job.status === "cancelled"
        ? `The job ${job.status}: ${job.error ?? "no error was recorded"}`
        : "The job has not ended yet: ask for its status";
    if (!signal.aborted) errors.report(Object.assign(new Error(detail), { name: "NoReply" }), request);
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
    if (!jobId.success) return reply.code(404).send(MALFORMED_JOB_ID);
    return inSnakeCase(await reads.status({ ownerId, jobId: jobId.data }));
  });
}

interface Chat {
  body: ChatRequest;
  idempotencyKey: string | undefined;
}

/** Parses a chat request. For an invalid one it sends the issues and returns undefined. */
function parseChat(request: FastifyRequest, reply: FastifyReply): Chat | undefined {
  const body = chatRequestSchema.safeParse(request.body);
  const key = idempotencyKeySchema.safeParse(request.headers["idempotency-key"]);
  if (body.success && key.success) return { body: body.data, idempotencyKey: key.data };
  const isObject = typeof request.body === "object" && request.body !== null;
  const issues = [body, key].flatMap(({ error }) => (error ? [describeIssues(error)] : []));
  const detail = isObject ? issues.join("; ") : "body: must be a JSON object with messages, sent as application/json";
  void reply.code(422).send({ detail });
  return undefined;
}

function inSnakeCase(job: JobStatusView): Record<string, unknown> {
  return Object.fromEntries(Object.entries(job).map(([key, value]) => [toSnakeCase(key), value]));
}
