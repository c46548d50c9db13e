/**
 * `shared/` owns the contracts: zod schemas of every request and response, job states, limits. It must not know any other
 * layer, nor Node.js: browsers load it. Invariant: a shape is written once, and the server, the workers and the page use it.
 * This file: requests and responses of the API. Timestamps are ISO 8601 strings in UTC.
 */
import { z } from "zod";
import { ATTEMPT_OUTCOMES, HOLDS, JOB_STATUSES } from "./job-states.ts";
import { contentSchema, idSchema, prioritySchema, shortText } from "./fields.ts";
import { interruptSchema } from "./interrupts.ts";
import { INT32_MAX } from "./limits.ts";
import { budgetSchema, usageSchema } from "./usage.ts";
import type { Usage } from "./usage.ts";

const maxRetriesSchema = z
  .int("maxRetries must be a whole number")
  .min(0, "maxRetries must not be negative")
  .max(100, "maxRetries must be at most 100");

/**
 * How a submit treats the thread's unfinished jobs. `enqueue` waits behind them, `reject` refuses the message. `interrupt`
 * cancels them and continues from their last checkpoints, `rollback` cancels them and discards their work.
 */
export const MULTITASK_STRATEGIES = ["enqueue", "reject", "interrupt", "rollback"] as const;
export type MultitaskStrategy = (typeof MULTITASK_STRATEGIES)[number];

/** `chat.submit`: one user message in an existing thread, or in a new thread, whose id the caller may choose. */
export const submitInputSchema = z.object({
  content: contentSchema,
  threadId: idSchema("threadId").optional(),
  idempotencyKey: shortText("idempotencyKey", 200).optional(),
  priority: prioritySchema.optional(),
  jobType: shortText("jobType", 100)
    .regex(/^[A-Za-z0-9_.:-]+$/, "jobType may have letters, digits and _ . : - only")
    .optional(),
  maxRetries: maxRetriesSchema.optional(),
  /** A graph of `graphs.list`; unless given, the thread's graph, or the built-in one for a new thread. */
  graph: shortText("graph", 90).optional(),
  /** `enqueue` unless given. */
  multitaskStrategy: z
    .enum(MULTITASK_STRATEGIES, "multitaskStrategy must be enqueue, reject, interrupt or rollback")
    .optional(),
  /**
   * Branches the conversation after the reply with this id, or replaces the user message with this id. Unless given, the
   * message follows the newest one.
   */
  parentId: idSchema("parentId").optional(),
  budget: budgetSchema.optional(),
});
export type SubmitInput = z.infer<typeof submitInputSchema>;

const uuid = z.string().meta({ format: "uuid" });

export const submittedSchema = z.object({
  jobId: uuid,
  threadId: uuid,
  decisionSetId: uuid,
  status: z.enum(JOB_STATUSES),
});
/** The response to a submit, once its message and job are committed. */
export type Submitted = z.infer<typeof submittedSchema>;

export const jobIdInputSchema = z.object({ jobId: idSchema("jobId") });

const timestamp = z.string().meta({ format: "date-time" });

export const jobStatusSchema = z.object({
  jobId: uuid,
  jobType: z.string(),
  status: z.enum(JOB_STATUSES),
  threadId: uuid.nullable(),
  decisionSetId: uuid.nullable(),
  priority: z.int(),
  attempt: z.int().describe("How many times the job was claimed; 0 before the first claim."),
  retryCount: z.int().describe("How many attempts ended with an error or a timeout and were followed by another."),
  maxRetries: z.int(),
  crashCount: z.int().describe("How many crashes of its process (died, frozen or cut off) the job has survived."),
  maxCrashes: z.int().describe("How many crashes the job may survive; one more makes it a dead letter."),
  error: z.string().nullable().describe("The message of the last failure; null when nothing has failed."),
  progress: z
    .object({ step: z.string(), detail: z.string().optional() })
    .nullable()
    .describe("The handler's last progress report; null before the first."),
  interrupt: interruptSchema.nullable().describe("The first of `interrupts`; null when there is none."),
  interrupts: z.array(interruptSchema).describe("The job's unanswered questions, oldest first."),
  usage: usageSchema.nullable().describe("The use of models by all attempts; null when none."),
  reply: z.string().nullable().describe("The assistant's message as Markdown; null until the job has completed."),
  workerId: z.string().nullable(),
  leaseExpiresAt: timestamp.nullable(),
  runAt: timestamp.describe("The earliest time at which the job may run."),
  createdAt: timestamp,
  startedAt: timestamp.nullable(),
  completedAt: timestamp.nullable(),
});
/** `jobs.status`: the state of one job. */
export type JobStatusView = z.infer<typeof jobStatusSchema>;

export const jobRowSchema = jobStatusSchema.omit({ reply: true, interrupt: true, interrupts: true }).extend({
  queue: z.string(),
  /** The reason why a queued job is not ready; null when it is ready or not queued. */
  hold: z.enum(HOLDS).nullable(),
});
/** One row of `jobs.list`. */
export type JobRow = z.infer<typeof jobRowSchema>;

export const jobListInputSchema = z.object({
  status: z.enum(JOB_STATUSES).optional(),
  jobType: shortText("jobType", 100).optional(),
  queue: shortText("queue", 100).optional(),
  search: shortText("search", 200).optional(),
  /** The `nextCursor` of the previous page. */
  cursor: z
    .string()
    .regex(/^[0-9]{1,18}$/, "cursor must be a nextCursor of jobs.list")
    .nullish(),
  limit: z
    .int("limit must be a whole number")
    .min(1, "limit must be at least 1")
    .max(200, "limit must be at most 200")
    .optional(),
});
export type JobListInput = z.infer<typeof jobListInputSchema>;

/** `jobs.list`: newest first; `nextCursor` is null on the last page. */
export type JobList = { jobs: JobRow[]; nextCursor: string | null };

/** `jobs.counts`: how many jobs are in each state. */
export type JobCounts = Record<(typeof JOB_STATUSES)[number], number>;

export const attemptSchema = z.object({
  attempt: z.number(),
  workerId: z.string(),
  startedAt: timestamp,
  endedAt: timestamp.nullable(),
  outcome: z.enum(ATTEMPT_OUTCOMES).nullable(),
  errorName: z.string().nullable(),
  errorMessage: z.string().nullable(),
  errorStack: z.string().nullable(),
  /** The attempt's use of models; null when none. */
  usage: usageSchema.nullable(),
});
export type Attempt = z.infer<typeof attemptSchema>;

export const jobEventSchema = z.object({
  seq: z.int(),
  attempt: z.int(),
  type: z.string(),
  data: z.unknown(),
  createdAt: timestamp,
});
/** One event of a job's log. */
export type JobEvent = z.infer<typeof jobEventSchema>;

const NO_EVENT = "lastEventId must be the number of an event";
/** The number of the reader's last event, as text or number; unless given, 0, which precedes the first event. */
export const lastEventIdSchema = z.coerce.number().int().min(0).max(INT32_MAX).default(0);

/** `jobs.events`: a job, and the number of the reader's last event. */
export const jobEventsInputSchema = jobIdInputSchema.extend({
  lastEventId: z
    .union([z.string().regex(/^[0-9]{1,10}$/, NO_EVENT), z.int(NO_EVENT).min(0, NO_EVENT)], NO_EVENT)
    .nullish()
    .transform((given) => Number(given ?? 0))
    .refine((given) => given <= INT32_MAX, NO_EVENT),
});

/** `jobs.get`: one job with its attempts and events, oldest first. */
export type JobDetail = JobStatusView & {
  queue: string;
  hold: (typeof HOLDS)[number] | null;
  payload: unknown;
  result: unknown;
  attempts: Attempt[];
  events: JobEvent[];
};

export const MESSAGE_ROLES = ["user", "assistant", "system", "tool"] as const;
export type MessageRole = (typeof MESSAGE_ROLES)[number];

/** One message of a thread; `jobId` is null for messages that seeded the thread. */
export type Message = {
  id: string;
  /** The preceding message; messages that share it are branches. Null for a first message. */
  parentId: string | null;
  role: MessageRole;
  content: string;
  jobId: string | null;
  /** For a reply, the turn's use of models; null when none, and after its job was pruned. */
  usage: Usage | null;
  createdAt: string;
};

/** `threads.list`: one conversation; the most recently used is first. */
export type ThreadRow = {
  threadId: string;
  decisionSetId: string;
  title: string;
  /** The registered graph of the conversation; null for the built-in one. */
  graph: string | null;
  createdAt: string;
  updatedAt: string;
};

/** `threads.get`: a conversation, a page of its messages oldest first, and its unfinished and failed jobs. */
export type Thread = ThreadRow & {
  currentVersion: number;
  messages: Message[];
  /** The `cursor` for the messages before these; null when there are none. */
  olderCursor: string | null;
  jobs: JobStatusView[];
};

/** `graphs.list`: a graph of the workers' `langgraph.json`; `error` is the reason why it cannot run, null when it can. */
export type GraphRow = { name: string; description: string | null; error: string | null; registeredAt: string };

/**
 * `workers.list`: one worker process. `alive` is false once it stopped or its last heartbeat is a minute old by the
 * database's clock; `jobTypes` are the types that it runs.
 */
export type WorkerRow = {
  workerId: string;
  host: string;
  pid: number;
  version: string;
  concurrency: number;
  running: number;
  state: string;
  alive: boolean;
  jobTypes: string[];
  startedAt: string;
  heartbeatAt: string;
};

/** The JSONB parts of one decision version. */
export type DecisionVersion = {
  version: number;
  jobId: string | null;
  requirements: unknown;
  plan: unknown;
  alternatives: unknown;
  costs: unknown;
  risks: unknown;
  policy: unknown;
  rationale: string;
  diff: unknown;
  createdAt: string;
};

/** `decisionSets.get`: the subject of a thread's design, with its newest version. */
export type DecisionSet = {
  decisionSetId: string;
  threadId: string;
  title: string;
  status: string;
  currentVersion: number;
  createdAt: string;
  updatedAt: string;
  latest: DecisionVersion | null;
};
export const decisionSetInputSchema = z.object({ decisionSetId: idSchema("decisionSetId") });
export const decisionVersionInputSchema = decisionSetInputSchema.extend({
  version: z
    .int("version must be a whole number")
    .min(1, "version must be at least 1")
    .max(INT32_MAX, `version must be at most ${INT32_MAX}`),
});

/** The REST body of `POST /api/chat` and `/api/chat/async`: the last message must be the user's. */
export const chatRequestSchema = z.strictObject({
  messages: z
    .array(
      z.strictObject({
        role: z.enum(MESSAGE_ROLES, "role must be user, assistant, system or tool"),
        content: contentSchema,
      }),
    )
    .min(1, "messages must not be empty")
    .max(1000, "messages must have at most 1000 entries")
    .refine((messages) => messages.at(-1)?.role === "user", { message: "the last of messages must have role user" })
    .describe("The last is the user's turn; the messages before it seed a new thread."),
  thread_id: idSchema("thread_id").nullish().describe("An unknown id starts a thread with that id."),
  graph: submitInputSchema.shape.graph
    .nullish()
    .describe("A registered graph; unless given, the thread's graph, or the built-in one for a new thread."),
});
export type ChatRequest = z.infer<typeof chatRequestSchema>;

/** The payload of a chat turn's job, checked again by the worker that runs it. */
export const chatPayloadSchema = z.object({
  content: contentSchema,
  messageId: z.string(),
  /** The checkpoint from which the turn starts, null for none; without `branch`, the thread's last checkpoint. */
  branch: z.object({ checkpointId: z.string().nullable() }).optional(),
  /** The graph's run id, when an edited payload started a new run. */
  runId: z.string().optional(),
  /** Messages that seed a new thread, oldest first; absent otherwise. */
  history: z.array(z.object({ id: z.string(), role: z.enum(MESSAGE_ROLES), content: z.string() })).optional(),
  /** True for a new thread: it has no checkpoint before the first attempt. */
  freshThread: z.boolean().optional(),
});
