/** The REST responses, in snake_case; the request is `chatRequestSchema`. */
import { z } from "zod";
import { chatRequestSchema, jobStatusSchema, submittedSchema } from "./contracts.ts";
import { shortText } from "./fields.ts";

/** Converts a camelCase name to snake_case. */
export function toSnakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function inSnakeCase(schema: z.ZodObject): z.ZodObject {
  return z.object(Object.fromEntries(Object.entries(schema.shape).map(([key, value]) => [toSnakeCase(key), value])));
}

/** The `Idempotency-Key` header of `POST /api/chat` and `/api/chat/async`. */
export const idempotencyKeySchema = shortText("Idempotency-Key", 200)
  .optional()
  .describe("Sending the same key and body again returns the same job; the same key with another body is a conflict.");

/** `POST /api/chat`: the conversation with the reply as its last message. */
export const chatReplySchema = chatRequestSchema.pick({ messages: true }).extend({
  messages: z.array(chatRequestSchema.shape.messages.element.extend({ content: z.string() })),
  thread_id: submittedSchema.shape.threadId,
});
export type ChatReply = z.infer<typeof chatReplySchema>;

/** `POST /api/chat` without a reply: the job failed, was cancelled, or did not end within five minutes. */
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

/** Every error; `reason` has more detail when there is any. */
export const faultSchema = z.object({ detail: z.string(), reason: z.string().optional() });
export type Fault = z.infer<typeof faultSchema>;

/** `/healthz` and `/readyz`. */
export const healthSchema = z.object({
  status: z.enum(["ok", "ready", "not ready"]),
  detail: z.string().optional(),
});
export type Health = z.infer<typeof healthSchema>;
