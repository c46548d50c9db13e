import { getTurnStatus } from "#conversation";
import { listJobs } from "#queue/read";
import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import { Database } from "#db";
import { readSettings, serve } from "./serve.ts";

/* A bare Fastify that sends the same SQL as the API: no tRPC, no checks, no log. */
const { url } = readSettings() as { url: string };
const db = new Database({ url });
const app = fastify();
app.get<{ Querystring: { id: string } }>("/status", (request) =>
  getTurnStatus(db.sql, { ownerId: "local", jobId: request.query.id }),
);
app.get("/list", () => listJobs(db.sql, { ownerId: "local", limit: 50 }));
await app.listen({ host: "127.0.0.1", port: 0 });

serve({ port: () => (app.server.address() as AddressInfo).port }, async () => {
  await app.close();
  await db.close();
});
