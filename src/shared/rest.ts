/** The shapes that the REST face answers with, in snake_case; what it takes is `chatRequestSchema`. Browser-safe. */
import { z } from "zod";
import { chatRequestSchema, jobStatusSchema, submittedSchema } from "./contracts.ts";
import { shortText } from "./fields.ts";

/** A camelCase name in snake_case. */
export function toSnakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function inSnakeCase(schema: z.ZodObject): z.ZodObject {
  return z.object(Object.fromEntries(Object.entries(schema.shape).map(([key, value]) => [toSnakeCase(key), value])));
}

/** The `Idempotency-Key` header of `POST /api/chat` and `/api/chat/async`. */
export const idempotencyKeySchema = shortText("Idempotency-Key", 200)
  .optional()
  .describe(
    "The same key with the same body is the same job, however often it is sent; with another body, a conflict.",
  );

/** `POST /api/chat`: the conversation with the reply as its last message. */
export const chatReplySchema = chatRequestSchema.pick({ messages: true }).extend({
  messages: z.array(chatRequestSchema.shape.messages.element.extend({ content: z.string() })),
  thread_id: submittedSchema.shape.threadId,
});
export type ChatReply = z.infer<typeof chatReplySchema>;

/** `POST /api/chat` when the job has no reply: it failed, was cancelled, or has not ended within five minutes. */
export const chatWithoutReplySchema = z.object({
  detail: z.string(),
  job_id: submittedSchema.shape.jobId,
  thread_id: submittedSchema.shape.threadId,
  status: submittedSchema.shape.status,
});
export type ChatWithoutReply = z.infer<typeof chatWithoutReplySchema>;

/** `POST /api/chat/async`. */
export const chatSubmittedSchema = z.object({
  decision_set_id: submittedSchema.shape.decisionSetId,
  thread_id: submittedSchema.shape.threadId,
  job_id: submittedSchema.shape.jobId,
  status: submittedSchema.shape.status,
});
export type ChatSubmitted = z.infer<typeof chatSubmittedSchema>;

/** `GET /api/jobs/{job_id}/status`: `jobs.status` in snake_case. */
export const jobStatusAnswerSchema = inSnakeCase(jobStatusSchema);

/** Every error; `reason` says more where there is more to say. */
export const faultSchema = z.object({ detail: z.string(), reason: z.string().optional() });
export type Fault = z.infer<typeof faultSchema>;

/** `/healthz` and `/readyz`. */
export const healthSchema = z.object({
  status: z.enum(["ok", "ready", "not ready"]),
  detail: z.string().optional(),
});
export type Health = z.infer<typeof healthSchema>;
