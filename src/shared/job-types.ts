/** The payloads of the built-in job types. */
import { z } from "zod";
import { chatPayloadSchema } from "./contracts.ts";
import { idSchema } from "./fields.ts";
import { CHAT_JOB_TYPE, EXPORT_JOB_TYPE } from "./limits.ts";

/** `export_thread`: exports a conversation as one document. */
export const exportPayloadSchema = z.object({
  threadId: idSchema("threadId"),
  format: z.enum(["markdown", "json"], "format must be markdown or json").default("markdown"),
});
export type ExportPayload = z.infer<typeof exportPayloadSchema>;

/** The result of an `export_thread` job. */
export type ExportResult = { filename: string; mediaType: string; content: string };

/** The payload schemas that the server checks at submit; payloads of other types are checked by the worker before a run. */
export const PAYLOAD_SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  [CHAT_JOB_TYPE, chatPayloadSchema],
  [EXPORT_JOB_TYPE, exportPayloadSchema],
]);
