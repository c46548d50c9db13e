/** The payloads of the built-in job types. */
import { z } from "zod";
import { chatPayloadSchema } from "./contracts.ts";
import { idSchema } from "./fields.ts";

/** The job type of a chat turn. */
export const CHAT_JOB_TYPE = "ml_workflow";
/** The job type that exports a conversation as a document. */
export const EXPORT_JOB_TYPE = "export_thread";

/** `export_thread`: exports a conversation as one document. */
export const exportPayloadSchema = z.object({
  threadId: idSchema("threadId"),
  format: z.enum(["markdown", "json"], "format must be markdown or json").default("markdown"),
});
export type ExportPayload = z.infer<typeof exportPayloadSchema>;

/** The result of an `export_thread` job. */
export type ExportResult = { filename: string; mediaType: string; content: string };

/** The server checks these payloads when a schedule is saved or a job is edited. Workers check every payload before a run. */
export const PAYLOAD_SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  [CHAT_JOB_TYPE, chatPayloadSchema],
  [EXPORT_JOB_TYPE, exportPayloadSchema],
]);
