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

/** A reference to a schema of the document. */
export function refTo(name: SchemaName): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** Converts a schema to JSON Schema, for the input side: before defaults and transforms. */
export function toJson(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io: "input" });
  return json;
}

/** The document's `components.schemas`, generated from the schemas of the server itself. */
export function componentSchemas(): Record<string, Record<string, unknown>> {
  return Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, toJson(schema)]));
}
