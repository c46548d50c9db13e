import { v7 as uuidv7 } from "uuid";
import type { Tx } from "#db";
import type { Claim } from "./claim.ts";
import { addMessage } from "./submit-turn.ts";

export interface TurnResult {
  decisionSetId: string;
  /** The reply as Markdown. */
  reply: string;
  /** Null where the turn designed nothing new. */
  version: {
    requirements: unknown;
    plan: unknown;
    alternatives: unknown;
    costs: unknown;
    risks: unknown;
    policy: unknown;
    rationale: string;
    diff: unknown;
  } | null;
}

/**
 * Writes a turn's effects, the reply and the next decision version, in the transaction that completes its job: call it
 * after `complete`, which holds the fence.
 */
export async function recordTurn(tx: Tx, claim: Claim, { decisionSetId, reply, version }: TurnResult): Promise<void> {
  await addMessage(tx, { id: uuidv7(), role: "assistant", content: reply, decisionSetId, jobId: claim.jobId });
  const [set] = await tx<{ version: number }[]>`
    update decision_sets set updated_at = clock_timestamp(), current_version = current_version + ${version ? 1 : 0}
    where id = ${decisionSetId} returning current_version as version`;
  if (!version || !set) return;
  const json = (value: unknown) => JSON.stringify(value ?? null);
  await tx`
    insert into decision_versions (decision_set_id, version, job_id, requirements, plan, alternatives, costs, risks, policy, rationale, diff)
    values (${decisionSetId}, ${set.version}, ${claim.jobId}, ${json(version.requirements)}::text::jsonb, ${json(version.plan)}::text::jsonb,
      ${json(version.alternatives)}::text::jsonb, ${json(version.costs)}::text::jsonb, ${json(version.risks)}::text::jsonb,
      ${json(version.policy)}::text::jsonb, ${version.rationale}, ${json(version.diff)}::text::jsonb)`;
}
