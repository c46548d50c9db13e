import { lastEventIdSchema } from "#shared/contracts";
import { idSchema } from "#shared/fields";
import { idempotencyKeySchema } from "#shared/rest";
import { body, faultsOf, respond, RETRY_AFTER } from "./openapi-responses.ts";
import { refTo, toJson } from "./openapi-schemas.ts";

const JOB_ID = "0192f0c1-2f4e-7cc3-b1aa-6a3f5d1e9c01";
const THREAD_ID = "0192f0c1-2f4e-7cc3-b1aa-6a3f5d1e9c02";
const DECISION_SET_ID = "0192f0c1-2f4e-7cc3-b1aa-6a3f5d1e9c03";
const USER_MESSAGE = { role: "user", content: "Detect card fraud within 50 ms" };
const SUBMITTED_AT = "2026-01-31T08:00:00.000Z";
const EVENT = {
  seq: 7,
  attempt: 1,
  type: "token",
  data: { text: "A gradient-boosted ", step: "reply" },
  createdAt: SUBMITTED_AT,
};

const STATUS_EXAMPLE = {
  job_id: JOB_ID,
  job_type: "ml_workflow",
  status: "running",
  thread_id: THREAD_ID,
  decision_set_id: DECISION_SET_ID,
  priority: 0,
  attempt: 1,
  retry_count: 0,
  max_retries: 3,
  crash_count: 0,
  max_crashes: 3,
  error: null,
  progress: { step: "plan" },
  interrupt: null,
  interrupts: [],
  usage: null,
  reply: null,
  worker_id: "host-4711-a1b2c3",
  lease_expires_at: "2026-01-31T08:00:30.000Z",
  run_at: SUBMITTED_AT,
  created_at: SUBMITTED_AT,
  started_at: SUBMITTED_AT,
  completed_at: null,
};

type Paths = Record<string, { get?: object; post?: object }>;

/** The header and the body of both chat requests. */
function chatRequest() {
  const { description, ...schema } = toJson(idempotencyKeySchema);
  return {
    parameters: [{ name: "Idempotency-Key", in: "header", schema, description }],
    requestBody: { required: true, content: body("ChatRequest", { messages: [USER_MESSAGE] }) },
  };
}

/** `POST /api/chat` and `POST /api/chat/async`. */
export function chatPaths(): Paths {
  const refused = faultsOf(
    "MalformedBody",
    "Forbidden",
    "NotFound",
    "Conflict",
    "TooLarge",
    "NotJson",
    "Unprocessable",
  );
  return {
    "/api/chat": {
      post: {
        operationId: "chat",
        tags: ["chat"],
        summary: "Submits a message and waits up to 5 minutes for the reply",
        description:
          "The message and its job are stored before the wait begins. The job continues when the wait is cut short.",
        ...chatRequest(),
        responses: {
          200: respond("The conversation with the reply as its last message", "ChatReply", {
            messages: [USER_MESSAGE, { role: "assistant", content: "## Card fraud detection\n…" }],
            thread_id: THREAD_ID,
          }),
          ...refused,
          500: {
            description: "The job failed or was cancelled, or the server has an error",
            content: { "application/json": { schema: { anyOf: [refTo("ChatWithoutReply"), refTo("Fault")] } } },
          },
          ...faultsOf("Unavailable"),
          504: respond("The job has not ended yet: ask for its status", "ChatWithoutReply", {
            detail: "The job has not ended yet: ask for its status",
            job_id: JOB_ID,
            thread_id: THREAD_ID,
            status: "running",
          }),
        },
      },
    },
    "/api/chat/async": {
      post: {
        operationId: "submitChat",
        tags: ["chat"],
        summary: "Submits a message and answers when the message and its job are stored",
        ...chatRequest(),
        responses: {
          200: respond("The job that will answer the message", "ChatSubmitted", {
            decision_set_id: DECISION_SET_ID,
            thread_id: THREAD_ID,
            job_id: JOB_ID,
            status: "queued",
          }),
          ...refused,
          ...faultsOf("Internal", "Unavailable"),
        },
      },
    },
  };
}

/** The status and the events of a job. */
export function jobPaths(): Paths {
  const jobId = { name: "job_id", in: "path", required: true, schema: toJson(idSchema("job_id")), example: JOB_ID };
  const after = {
    schema: toJson(lastEventIdSchema),
    description: "The number of the last event that the reader has received.",
  };
  return {
    "/api/jobs/{job_id}/status": {
      get: {
        operationId: "getJobStatus",
        tags: ["jobs"],
        summary: "Returns the status of a job",
        parameters: [jobId],
        responses: {
          200: respond("The job", "JobStatus", STATUS_EXAMPLE),
          ...faultsOf("Forbidden", "NotFound", "Internal", "Unavailable"),
        },
      },
    },
    "/api/jobs/{job_id}/events": {
      get: {
        operationId: "followJob",
        tags: ["jobs"],
        summary: "Streams the events of a job after the given one, up to the closing event",
        description:
          "Server-sent events: `id` is the event's number, `event` its type, and `data` a `JobEvent` as JSON. The stream ends after the closing event. After a disconnect, the reader asks again with `Last-Event-ID`.",
        parameters: [
          jobId,
          { name: "Last-Event-ID", in: "header", ...after },
          { name: "last_event_id", in: "query", ...after, description: `${after.description} The header wins.` },
        ],
        responses: {
          200: {
            description: "The events",
            content: {
              "text/event-stream": {
                schema: { type: "string", description: "Each `data` has the schema `JobEvent`." },
                example: `id: ${EVENT.seq}\nevent: ${EVENT.type}\ndata: ${JSON.stringify(EVENT)}\n\n`,
              },
            },
          },
          ...faultsOf("Forbidden", "NotFound", "Unprocessable", "Internal", "Unavailable"),
        },
      },
    },
  };
}

/** The operators' endpoints. */
export function operationPaths(): Paths {
  const operation = (operationId: string, summary: string, responses: Record<string, unknown>) => ({
    get: { operationId, tags: ["operations"], summary, responses: { ...responses, ...faultsOf("Forbidden") } },
  });
  return {
    "/api/openapi.json": operation("getOpenApi", "Returns this document", {
      200: { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } },
    }),
    "/healthz": operation("getHealth", "Tells that the process is alive", {
      200: respond("The process is alive", "Health", { status: "ok" }),
    }),
    "/readyz": operation("getReadiness", "Tells whether the process can serve", {
      200: respond("The process can serve", "Health", { status: "ready" }),
      503: {
        ...respond("A write to the database would fail; `detail` gives the reason", "Health", {
          status: "not ready",
          detail: "The database has no space left on its disk",
        }),
        headers: RETRY_AFTER,
      },
    }),
    "/metrics": operation("getMetrics", "Returns figures in Prometheus's text format", {
      200: {
        description: "The figures; without the database's figures when it cannot be reached",
        content: { "text/plain": { schema: { type: "string" }, example: "threadmill_database_up 1\n" } },
      },
    }),
  };
}
