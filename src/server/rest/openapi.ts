import type { FastifyInstance } from "fastify";
import { componentResponses } from "./openapi-responses.ts";
import { chatPaths, jobPaths, operationPaths } from "./openapi-paths.ts";
import { componentSchemas } from "./openapi-schemas.ts";

/** Adds `GET /api/openapi.json`: the REST API for people and client generators. */
export function addOpenApi(app: FastifyInstance): void {
  const document = describeApi();
  app.get("/api/openapi.json", async () => document);
}

/**
 * Builds the OpenAPI document. Its schemas are generated from the zod schemas of the server itself.
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */
export function describeApi(): Record<string, unknown> {
  return {
    openapi: "3.1.0",
    info: {
      title: "Threadmill",
      version: "0.1.0",
      description:
        "Every chat message is a durable job. Submit one, ask for its status, follow its events. Only this machine may call the API: requests with a foreign Host or Origin are refused.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "chat", description: "Messages and their replies" },
      { name: "jobs", description: "The progress of a message's job" },
      { name: "operations", description: "Endpoints for operators" },
    ],
    paths: { ...chatPaths(), ...jobPaths(), ...operationPaths() },
    components: { schemas: componentSchemas(), responses: componentResponses() },
  };
}
