/** Questions of jobs to people, and their answers. */
import { z } from "zod";
import { idSchema, shortText } from "./fields.ts";

/** A job's question to a person. */
export const interruptSchema = z.object({
  id: z.string().describe("The `interruptId` of `chat.answer`."),
  kind: z.string(),
  value: z.unknown().describe("The question, as the graph sent it."),
  schema: z.unknown().describe("The JSON Schema of an answer; null accepts any JSON value."),
  deadlineAt: z
    .string()
    .meta({ format: "date-time" })
    .nullable()
    .describe("The last moment for an answer; null without a limit."),
});
export type Interrupt = z.infer<typeof interruptSchema>;

/** `chat.answer`: the answer to one interrupt, or, without `interruptId`, an object of answers by interrupt id. */
export const answerInputSchema = z.object({
  jobId: idSchema("jobId"),
  interruptId: shortText("interruptId", 200).optional(),
  answers: z.unknown().refine((answers) => answers !== undefined, { message: "answers must be given" }),
});
