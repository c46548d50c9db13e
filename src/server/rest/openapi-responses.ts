import { MAX_BODY_BYTES } from "#shared/limits";
import { INTERNAL_ERROR, RETRY_AFTER_SECONDS } from "../http/map-error.ts";
import { refTo } from "./openapi-schemas.ts";
import type { SchemaName } from "./openapi-schemas.ts";

export const RETRY_AFTER = {
  "retry-after": { description: "Seconds to wait before the next try.", schema: { type: "integer" } },
};

/** A JSON body with one of the document's schemas and an example. */
export function body(name: SchemaName, example: unknown): object {
  return { "application/json": { schema: refTo(name), example } };
}

/** A response with a JSON body. */
export function respond(description: string, name: SchemaName, example: unknown): object {
  return { description, content: body(name, example) };
}

const FAULTS = {
  MalformedBody: [
    400,
    "The body is not JSON, or names a graph that no worker offers",
    "body: Body is not valid JSON but content-type is set to 'application/json'",
  ],
  Forbidden: [
    403,
    "Host or Origin is not this machine, or another site's page sent the request",
    "Host must be this machine: 127.0.0.1 or localhost",
  ],
  NotFound: [404, "Unknown job or thread", "Job not found"],
  Conflict: [
    409,
    "The Idempotency-Key belongs to a job with other content",
    `idempotencyKey is that of job 0192f0c1-2f4e-7cc3-b1aa-6a3f5d1e9c01, which has other content: use another`,
  ],
  TooLarge: [413, `The body has more than ${MAX_BODY_BYTES} bytes`, "body: Request body is too large"],
  NotJson: [415, "The body is of another type than application/json", "body: Unsupported Media Type"],
  Unprocessable: [422, "A field is invalid or unknown", "messages must not be empty"],
  Internal: [500, "An error of the server", INTERNAL_ERROR],
  Unavailable: [
    503,
    "The database cannot be reached, lacks disk space or connections, or took too long",
    `The database cannot be reached: try again in ${RETRY_AFTER_SECONDS} s`,
  ],
} as const satisfies Record<string, readonly [status: number, description: string, example: string]>;
type FaultName = keyof typeof FAULTS;

/** The error responses of an operation, by status. */
export function faultsOf(...names: FaultName[]): Record<number, { $ref: string }> {
  return Object.fromEntries(names.map((name) => [FAULTS[name][0], { $ref: `#/components/responses/${name}` }]));
}

/** The document's `components.responses`. */
export function componentResponses(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(FAULTS).map(([name, [status, description, detail]]) => [
      name,
      { ...respond(description, "Fault", { detail }), ...(status === 503 && { headers: RETRY_AFTER }) },
    ]),
  );
}
