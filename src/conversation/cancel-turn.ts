import type { Tx } from "#db";
import type { JobKey } from "#queue";
import { cancel } from "#queue/settle";
import { passOnBranch } from "./branch.ts";

/**
 * Cancels a job like `cancel`. If the job is a turn that never ran, the next turn takes over its branch.
 * @throws NotFoundError when the owner has no such job; JobConflictError when it has completed or failed.
 */
export async function cancelTurn(tx: Tx, key: JobKey): Promise<Awaited<ReturnType<typeof cancel>>> {
  const status = await cancel(tx, key);
  if (status === "cancelled") await passOnBranch(tx, key.jobId);
  return status;
}
