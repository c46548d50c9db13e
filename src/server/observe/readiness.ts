import { checkWritable, DatabaseUnavailableError, proveWrites } from "#queue";
import type { Database } from "#queue";
import type { FastifyInstance } from "fastify";
import type { Health } from "#shared/rest";
import type { FaultLog } from "./fault-log.ts";
import { describeUnavailable, RETRY_AFTER_SECONDS } from "../http/map-error.ts";

const DEADLINE_MS = 2_000;
/** How long a proof is good for: however many ask, the database writes once in that time. */
const PROOF_AGE_MS = 1_000;

/** `GET /healthz`: the process lives. `GET /readyz`: a write to the database works, or why it does not. */
export function addHealth(app: FastifyInstance, { db, faults }: { db: Database; faults: FaultLog }): void {
  let proof: Promise<void> | undefined;
  let validUntilMs = 0;
  const prove = async () => {
    if (proof && performance.now() < validUntilMs) return proof;
    validUntilMs = Infinity;
    proof = db.transaction(proveWrites, DEADLINE_MS).then(
      () => {
        validUntilMs = performance.now() + PROOF_AGE_MS;
      },
      (error: unknown) => {
        // A proof that failed says nothing of the next.
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
      faults.report(error, request);
      const detail =
        error instanceof DatabaseUnavailableError
          ? describeUnavailable(error)
          : "The database is not migrated, or refuses a write: see the server's log";
      return reply
        .code(503)
        .header("retry-after", RETRY_AFTER_SECONDS)
        .send({ status: "not ready", detail } satisfies Health);
    }
  });
}
