import { checkWritable, DatabaseUnavailableError, proveWrites } from "#queue";
import type { FastifyInstance } from "fastify";
import type { Health } from "#shared/rest";
import type { Services } from "../services.ts";
import { describeUnavailable, RETRY_AFTER_SECONDS } from "../http/map-error.ts";

const DEADLINE_MS = 2_000;
/** All checks within this time share one test write. */
const PROOF_MAX_AGE_MS = 1_000;

/** Adds `GET /healthz` (the process is alive) and `GET /readyz` (a write to the database works, or the reason why not). */
export function addHealth(app: FastifyInstance, { db, errors }: Pick<Services, "db" | "errors">): void {
  let proof: Promise<void> | undefined;
  let validUntilMs = 0;
  const prove = async () => {
    if (proof && performance.now() < validUntilMs) return proof;
    validUntilMs = Infinity;
    proof = db.transaction(proveWrites, DEADLINE_MS).then(
      () => {
        validUntilMs = performance.now() + PROOF_MAX_AGE_MS;
      },
      (error: unknown) => {
        // The next check tries again.
        validUntilMs = 0;
        throw error;
      },
    );
    return proof;
  };

  app.get("/healthz", async () => ({ status: "ok" }) satisfies Health);
  app.get("/readyz", async (request, reply) => {
    try {
      await db.transaction(checkWritable, DEADLINE_MS);
      await prove();
      return { status: "ready" } satisfies Health;
    } catch (error) {
      errors.report(error, request);
      const detail =
        error instanceof DatabaseUnavailableError
          ? describeUnavailable(error)
          : "The database is not migrated, or it refuses a write: see the server's log";
      return reply
        .code(503)
        .header("retry-after", RETRY_AFTER_SECONDS)
        .send({ status: "not ready", detail } satisfies Health);
    }
  });
}
