/** What jobs ask people, and how they are answered. */
import { z } from "zod";
import { idSchema, shortText } from "./fields.ts";

/** A question that a job puts to a person. */
export const interruptSchema = z.object({
  /** What `chat.answer` takes as `interruptId`. */
  id: z.string(),
  kind: z.string(),
  /** What the graph asks. */
  value: z.unknown(),
  /** The JSON Schema that an answer must fit; null takes any JSON value. */
  schema: z.unknown(),
  /** Until when it may be answered; null for ever. */
  deadlineAt: z.string().nullable(),
});
export type Interrupt = z.infer<typeof interruptSchema>;

/** `chat.answer`: the answer to one interrupt, or without `interruptId` an object of answers by their interrupts' ids. */
export const answerInputSchema = z.object({
  jobId: idSchema("jobId"),
  interruptId: shortText("interruptId", 200).optional(),
  answers: z.unknown().refine((answers) => answers !== undefined, { message: "answers must be given" }),
});
