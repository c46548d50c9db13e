/**
 * The shapes that cross a process boundary: what callers may send and what they get.
 * Browser-safe; imports nothing but zod. Timestamps are ISO 8601 strings in UTC.
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
 * What becomes of a thread's unfinished jobs when a message is submitted: the message waits behind them, is refused,
 * stops them and goes on from what they have, or stops them and goes on as if they had never been.
 */
export const MULTITASK_STRATEGIES = ["enqueue", "reject", "interrupt", "rollback"] as const;
export type MultitaskStrategy = (typeof MULTITASK_STRATEGIES)[number];

/** `chat.submit`: one user message, in a thread that exists, in a new one with the given id, or in a new one. */
export const submitInputSchema = z.object({
  content: contentSchema,
  threadId: idSchema("threadId").optional(),
  idempotencyKey: shortText("idempotencyKey", 200).optional(),
  priority: prioritySchema.optional(),
  jobType: shortText("jobType", 100)
    .regex(/^[A-Za-z0-9_.:-]+$/, "jobType may have letters, digits and _ . : - only")
    .optional(),
  maxRetries: maxRetriesSchema.optional(),
  /** The graph to chat with, one of `graphs.list`; unless given, the thread's own, or the built-in one for a new thread. */
  graph: shortText("graph", 90).optional(),
  /** What to do where the thread has unfinished jobs; `enqueue` unless given. */
  multitaskStrategy: z
    .enum(MULTITASK_STRATEGIES, "multitaskStrategy must be enqueue, reject, interrupt or rollback")
    .optional(),
  /**
   * Branches the conversation: after the reply with this id, or, where it is a user's message, in place of that one.
   * After the newest message unless given.
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
/** What a submitter gets once its message and job are committed. */
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
  attempt: z.int().describe("How many times the job was claimed; 0 before the first."),
  retryCount: z.int().describe("How many attempts ended with an error or a timeout and were followed by another."),
  maxRetries: z.int(),
  crashCount: z.int().describe("How many crashes of its process (died, frozen or cut off) the job has survived."),
  maxCrashes: z.int().describe("How many crashes the job may survive; one more makes it a dead letter."),
  error: z.string().nullable().describe("The message of the last failure; null when nothing has failed."),
  progress: z
    .object({ step: z.string(), detail: z.string().optional() })
    .nullable()
    .describe("What the handler last reported of its progress; null before it did."),
  interrupt: interruptSchema.nullable().describe("The first of `interrupts`; null when the job asks nothing."),
  interrupts: z.array(interruptSchema).describe("What the job asks and nobody has answered, oldest first."),
  usage: usageSchema.nullable().describe("What all attempts have used of models; null when nothing."),
  reply: z.string().nullable().describe("The assistant's message as Markdown; null until the job has completed."),
  workerId: z.string().nullable(),
  leaseExpiresAt: timestamp.nullable(),
  runAt: timestamp.describe("When the job may run at the earliest."),
  createdAt: timestamp,
  startedAt: timestamp.nullable(),
  completedAt: timestamp.nullable(),
});
/** `jobs.status`: where one job stands. */
export type JobStatusView = z.infer<typeof jobStatusSchema>;

export const jobRowSchema = jobStatusSchema.omit({ reply: true, interrupt: true, interrupts: true }).extend({
  queue: z.string(),
  /** Why a queued job is not ready yet; null when it is, or is not queued. */
  hold: z.enum(HOLDS).nullable(),
});
/** One row of `jobs.list`. */
export type JobRow = z.infer<typeof jobRowSchema>;

export const jobListInputSchema = z.object({
  status: z.enum(JOB_STATUSES).optional(),
  jobType: shortText("jobType", 100).optional(),
  queue: shortText("queue", 100).optional(),
  search: shortText("search", 200).optional(),
  /** What the page before returned as `nextCursor`. */
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
  /** What the attempt used of models; null when nothing. */
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
/** The number of the last event that a reader has, as text or number; 0, which is before the first, unless given. */
export const lastEventIdSchema = z.coerce.number().int().min(0).max(INT32_MAX).default(0);

/** `jobs.events`: a job, and the number of the last event that the reader has. */
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

/** One message of a thread; `jobId` is null for messages that seeded it. */
export type Message = {
  id: string;
  /** The message that it follows; several that follow one are branches. Null for the first of a branch. */
  parentId: string | null;
  role: MessageRole;
  content: string;
  jobId: string | null;
  /** What the turn of a reply has used of models; null when nothing, and once its job was pruned. */
  usage: Usage | null;
  createdAt: string;
};

/** `threads.list`: one conversation, most lately used first. */
export type ThreadRow = {
  threadId: string;
  decisionSetId: string;
  title: string;
  /** The registered graph it is a conversation with; null for the built-in one. */
  graph: string | null;
  createdAt: string;
  updatedAt: string;
};

/** `threads.get`: a conversation, a page of its messages oldest first, and its unfinished and failed jobs. */
export type Thread = ThreadRow & {
  currentVersion: number;
  messages: Message[];
  /** Asks for the messages before these; null where there are none. */
  olderCursor: string | null;
  jobs: JobStatusView[];
};

/** `graphs.list`: a graph of the workers' `langgraph.json`; `error` says why it cannot be run, null when it can. */
export type GraphRow = { name: string; description: string | null; error: string | null; registeredAt: string };

/**
 * `workers.list`: one worker process; `alive` is whether its last heartbeat is recent by the database's clock,
 * `jobTypes` what it runs.
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

/** `decisionSets.get`: what a thread is designing, with its newest version. */
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
    .describe("The last is the user's turn; what stands before it seeds a thread that is new."),
  thread_id: idSchema("thread_id").nullish().describe("One that does not exist yet starts a thread with it."),
  graph: submitInputSchema.shape.graph
    .nullish()
    .describe(
      "The registered graph to chat with; unless given, the thread's own, or the built-in one for a new thread.",
    ),
});
export type ChatRequest = z.infer<typeof chatRequestSchema>;

/** The payload of a chat turn's job, checked again by the worker that runs it. */
export const chatPayloadSchema = z.object({
  content: contentSchema,
  messageId: z.string(),
  /** Where the turn begins, if not where the thread's last one ended: at a checkpoint, or at none with null. */
  branch: z.object({ checkpointId: z.string().nullable() }).optional(),
  /** The graph's run, where an edited payload has begun another than the job's first. */
  runId: z.string().optional(),
  /** Messages that seed a new thread, oldest first; absent otherwise. */
  history: z.array(z.object({ id: z.string(), role: z.enum(MESSAGE_ROLES), content: z.string() })).optional(),
  /** Whether the thread was new, so that no checkpoint of it can be there before the first attempt. */
  freshThread: z.boolean().optional(),
});
