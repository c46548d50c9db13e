import { z } from "zod";
import { chatRequestSchema, jobEventSchema } from "#shared/contracts";
import {
  chatReplySchema,
  chatSubmittedSchema,
  chatWithoutReplySchema,
  faultSchema,
  healthSchema,
  jobStatusAnswerSchema,
} from "#shared/rest";

const SCHEMAS = {
  ChatRequest: chatRequestSchema,
  ChatReply: chatReplySchema,
  ChatWithoutReply: chatWithoutReplySchema,
  ChatSubmitted: chatSubmittedSchema,
  JobStatus: jobStatusAnswerSchema,
  JobEvent: jobEventSchema,
  Fault: faultSchema,
  Health: healthSchema,
};
export type SchemaName = keyof typeof SCHEMAS;

/** Where a schema stands in the document. */
export function refTo(name: SchemaName): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** One schema as JSON Schema, of what callers may send: before defaults and changes of case. */
export function toJson(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io: "input" });
  return json;
}

/** The document's `components.schemas`, made from the schemas that the server itself checks and is typed with. */
export function componentSchemas(): Record<string, Record<string, unknown>> {
  return Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, toJson(schema)]));
}
