import type { FastifyInstance } from "fastify";
import { componentResponses } from "./openapi-answers.ts";
import { chatPaths, jobPaths, operationPaths } from "./openapi-paths.ts";
import { componentSchemas } from "./openapi-schemas.ts";

/** `GET /api/openapi.json`: what the REST face takes and answers, for people and for generators of clients. */
export function addOpenApi(app: FastifyInstance): void {
  const document = describeApi();
  app.get("/api/openapi.json", async () => document);
}

/**
 * The OpenAPI document, its schemas made from those that the server checks its input with and is typed by.
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */
export function describeApi(): Record<string, unknown> {
  return {
    openapi: "3.1.0",
    info: {
      title: "Threadmill",
      version: "0.1.0",
      description:
        "Every chat message is a durable job. Submit one, ask where it stands, follow its events. Only this machine may ask: requests with a foreign Host or Origin are refused.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "chat", description: "Messages and their replies" },
      { name: "jobs", description: "Where the work on a message stands" },
      { name: "operations", description: "For those who run the server" },
    ],
    paths: { ...chatPaths(), ...jobPaths(), ...operationPaths() },
    components: { schemas: componentSchemas(), responses: componentResponses() },
  };
}
