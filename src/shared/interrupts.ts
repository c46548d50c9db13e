/** What jobs ask people, and how they are answered. */
import { z } from "zod";
import { idSchema, shortText } from "./fields.ts";

/** A question that a job puts to a person. */
export const interruptSchema = z.object({
  id: z.string().describe("What `chat.answer` takes as `interruptId`."),
  kind: z.string(),
  value: z.unknown().describe("What the graph asks."),
  schema: z.unknown().describe("The JSON Schema that an answer must fit; null takes any JSON value."),
  deadlineAt: z
    .string()
    .meta({ format: "date-time" })
    .nullable()
    .describe("Until when it may be answered; null for ever."),
});
export type Interrupt = z.infer<typeof interruptSchema>;

/** `chat.answer`: the answer to one interrupt, or without `interruptId` an object of answers by their interrupts' ids. */
export const answerInputSchema = z.object({
  jobId: idSchema("jobId"),
  interruptId: shortText("interruptId", 200).optional(),
  answers: z.unknown().refine((answers) => answers !== undefined, { message: "answers must be given" }),
});
