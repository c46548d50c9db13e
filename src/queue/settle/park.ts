import type { Tx } from "#db";
import type { Claim } from "../claimed-job.ts";
import { readyAnswered } from "../ready/resume.ts";
import { endUnlessCancelled } from "./end-attempt.ts";

/** A question that a run puts to a person. */
export interface NewInterrupt {
  /** The graph's id of the question, unique within the job. */
  id: string;
  /** The sort of question, such as `approval`. */
  kind: string;
  /** The question, any JSON value. */
  value: unknown;
  /** A JSON Schema for the answer; null accepts any JSON value. */
  schema: unknown;
  /** The time for an answer, in milliseconds from now; null without a limit. */
  deadlineMs: number | null;
  /** The answer after the deadline; without it the job fails then. */
  default?: unknown;
}

/**
 * Parks a job until a person answers. It holds no worker and no lease, and stays its thread's head. If a question was
 * answered during the run, the job is queued at once. Uses no retry. A job with a cancel request ends as cancelled.
 * @throws LeaseLostError when the attempt no longer owns the job; nothing was changed.
 */
export async function park(
  tx: Tx,
  claim: Claim,
  interrupts: readonly NewInterrupt[],
): Promise<"waiting" | "queued" | "cancelled"> {
  const asked = interrupts.map(({ id, kind }) => ({ id, kind }));
  const status = await endUnlessCancelled<"waiting" | "queued">(tx, claim, {
    next: { status: "waiting" },
    history: { outcome: "waiting" },
    event: { type: "waiting", data: { interrupts: asked } },
    earlierStatuses: ["waiting", "queued"],
  });
  if (status !== "waiting") return status;
  await recordInterrupts(tx, claim.jobId, interrupts);
  const [answered] = await tx`
    select 1 from job_interrupts where job_id = ${claim.jobId} and answered_at is not null
      and interrupt_id = any(${interrupts.map((one) => one.id)}::text[])`;
  if (!answered) return "waiting";
  await readyAnswered(tx, claim.jobId);
  return "queued";
}

async function recordInterrupts(tx: Tx, jobId: string, interrupts: readonly NewInterrupt[]): Promise<void> {
  const rows = interrupts.map((one) => ({
    id: one.id,
    kind: one.kind,
    value: one.value,
    schema: one.schema,
    deadline_ms: one.deadlineMs,
    on_deadline: one.default === undefined ? "fail" : "default",
    // Kept in a list, so that null can be an answer.
    default_answer: one.default === undefined ? null : [one.default],
  }));
  await tx`
    insert into job_interrupts (job_id, interrupt_id, kind, value, schema, deadline_at, on_deadline, default_answer)
    select ${jobId}, id, kind, coalesce(value, 'null'::jsonb), nullif(schema, 'null'::jsonb),
      clock_timestamp() + make_interval(secs => deadline_ms / 1000), on_deadline, nullif(default_answer, 'null'::jsonb)
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as asked (id text, kind text, value jsonb, schema jsonb,
      deadline_ms float8, on_deadline text, default_answer jsonb)
    -- A later attempt asks again: the first deadline and a stored answer stay.
    on conflict (job_id, interrupt_id) do update set kind = excluded.kind, value = excluded.value, schema = excluded.schema`;
}
