/** Requests and responses for operators: dead letters, queues and their limits, schedules. */
import { z } from "zod";
import { idSchema, prioritySchema, shortText } from "./fields.ts";
import { jobIdInputSchema, jobListInputSchema, submitInputSchema } from "./contracts.ts";

/** A time in the years 1 to 9999, converted to UTC: PostgreSQL does not read every year and offset of ISO 8601. */
const timestampSchema = (name: string) => {
  const error = `${name} must be an ISO 8601 time such as 2030-01-31T08:00:00Z`;
  return z.iso
    .datetime({ offset: true, error })
    .refine((text) => !Number.isNaN(Date.parse(text)), { error, abort: true })
    .transform((text) => new Date(text).toISOString())
    .refine((text) => /^(?!0000)\d{4}-/.test(text), error);
};
const queueNameSchema = shortText("queue", 100).regex(
  /^[A-Za-z0-9_.:-]+$/,
  "queue may have letters, digits and _ . : - only",
);

/** `jobs.deadLetters`: the failed jobs to list; `error` searches the error's text. */
export const deadLetterFilterSchema = z.object({
  jobType: shortText("jobType", 100).optional(),
  queue: shortText("queue", 100).optional(),
  error: shortText("error", 200).optional(),
  failedAfter: timestampSchema("failedAfter").optional(),
  failedBefore: timestampSchema("failedBefore").optional(),
  cursor: jobListInputSchema.shape.cursor,
  limit: jobListInputSchema.shape.limit,
});
export type DeadLetterFilter = z.infer<typeof deadLetterFilterSchema>;

/**
 * `jobs.retry`: retries one job, with its own or an edited payload that fits the job type. A chat turn resumes from its last
 * checkpoint; with an edited payload it starts over.
 */
export const retryInputSchema = jobIdInputSchema.extend({ payload: z.unknown().optional() });

export const jobIdsInputSchema = z.object({
  jobIds: z
    .array(idSchema("jobIds"))
    .min(1, "jobIds must not be empty")
    .max(1000, "jobIds must have at most 1000 entries"),
});

export const priorityInputSchema = jobIdInputSchema.extend({ priority: prioritySchema });

const limitSchema = (name: string) =>
  z
    .int(`${name} must be a whole number`)
    .min(1, `${name} must be at least 1`)
    .max(1_000_000, `${name} must be at most 1000000`);

/** The limits of a queue, overall and per `limitKey`; an absent limit is unlimited. */
export const queueLimitsSchema = z.strictObject({
  concurrency: limitSchema("concurrency").optional(),
  perKey: z
    .strictObject({
      concurrency: limitSchema("perKey.concurrency").optional(),
      /** At most `limit` starts within `perMs` milliseconds. */
      rate: z
        .strictObject({
          limit: limitSchema("perKey.rate.limit"),
          perMs: z
            .int("perKey.rate.perMs must be a whole number")
            .min(1, "perKey.rate.perMs must be at least 1")
            .max(86_400_000, "perKey.rate.perMs must be at most a day"),
        })
        .optional(),
    })
    .optional(),
});
export type QueueLimits = z.infer<typeof queueLimitsSchema>;

export const queueInputSchema = z.object({ queue: queueNameSchema });
export const queueLimitsInputSchema = queueInputSchema.extend({ limits: queueLimitsSchema });
export const jobTypeInputSchema = z.object({ jobType: shortText("jobType", 100) });

/** `queues.list`: one queue with the counts of its ready, held (see `HOLDS`) and running jobs. */
export type QueueRow = {
  queue: string;
  paused: boolean;
  limits: QueueLimits;
  ready: number;
  held: number;
  running: number;
};

export const newScheduleSchema = z.object({
  name: shortText("name", 100),
  cron: shortText("cron", 200),
  timeZone: shortText("timeZone", 100).optional(),
  jobType: submitInputSchema.shape.jobType.unwrap(),
  queue: queueNameSchema.optional(),
  payload: z.unknown(),
  priority: prioritySchema.optional(),
  /** For ticks during which no worker ran: make no job (`skip`), or one job for all of them (`run_once`); `skip` unless given. */
  missedRuns: z.enum(["skip", "run_once"], "missedRuns must be skip or run_once").optional(),
});
export type NewSchedule = z.infer<typeof newScheduleSchema>;
export const scheduleIdInputSchema = z.object({ scheduleId: idSchema("scheduleId") });

/** `schedules.list`: one schedule; `nextRunAt` is null when no tick is left. */
export type ScheduleRow = {
  scheduleId: string;
  name: string;
  cron: string;
  timeZone: string;
  jobType: string;
  queue: string;
  payload: unknown;
  priority: number;
  missedRuns: "skip" | "run_once";
  paused: boolean;
  nextRunAt: string | null;
  lastRunAt: string | null;
};
