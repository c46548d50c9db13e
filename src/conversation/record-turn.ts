import { newId } from "#db";
import type { Tx } from "#db";
import type { Claim } from "#queue";
import type { DecisionVersion } from "#shared/contracts";

export interface TurnResult {
  decisionSetId: string;
  /** The reply as Markdown. */
  reply: string;
  /** The checkpoint at which the turn ended; null when unknown. */
  checkpointId: string | null;
  /** The next decision version; null when the turn made none. */
  version: Omit<DecisionVersion, "version" | "jobId" | "createdAt"> | null;
}

/**
 * Writes a turn's reply and its next decision version, in the transaction that completes its job. Call it after
 * `complete`, which checks the fence.
 */
export async function recordTurn(tx: Tx, claim: Claim, turn: TurnResult): Promise<void> {
  const { decisionSetId, reply, checkpointId, version } = turn;
  const id = newId();
  const json = (value: unknown) => JSON.stringify(value ?? null);
  await tx`
    with asked as materialized (
      select id from messages where job_id = ${claim.jobId} and role = 'user'
    ), replied as (
      insert into messages (id, decision_set_id, job_id, parent_id, checkpoint_id, role, content)
      select ${id}, ${decisionSetId}, ${claim.jobId}, (select id from asked), ${checkpointId}, 'assistant', ${reply}
    ), moved as (
      -- A message that was sent before this reply followed the question. Now it follows the reply.
      update messages set parent_id = ${id} from asked where messages.parent_id = asked.id and messages.role = 'user'
    ), owner as (
      update decision_sets set updated_at = clock_timestamp(), current_version = current_version + ${version ? 1 : 0}
      where id = ${decisionSetId} returning current_version
    )
    ${
      version
        ? tx`
    insert into decision_versions (decision_set_id, version, job_id, requirements, plan, alternatives, costs, risks, policy, rationale, diff)
    select ${decisionSetId}, current_version, ${claim.jobId}, ${json(version.requirements)}::text::jsonb, ${json(version.plan)}::text::jsonb,
      ${json(version.alternatives)}::text::jsonb, ${json(version.costs)}::text::jsonb, ${json(version.risks)}::text::jsonb,
      ${json(version.policy)}::text::jsonb, ${version.rationale}, ${json(version.diff)}::text::jsonb from owner`
        : tx`select 1`
    }`;
}
