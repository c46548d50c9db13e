import type { Executor, Tx } from "#db";
import { lockJob } from "../lock-job.ts";
import { resume } from "../ready/resume.ts";
import { afterEnd } from "./after-end.ts";
import type { PendingQuery, Row } from "postgres";

/**
 * The condition on an interrupt and its job under which the deadline has an effect. Without a default it fails only a
 * waiting job: a run that continues with another answer may still withdraw the interrupt.
 */
export function mayExpire(sql: Executor): PendingQuery<Row[]> {
  return sql`answered_at is null and deadline_at is not null
    and (on_deadline = 'default' or jobs.status not in ('queued', 'running'))`;
}

/**
 * Handles the overdue interrupts of one job: the default becomes the answer, or the job fails. Interrupts of ended jobs
 * are deleted. Returns how many it handled; call it again until it returns 0.
 */
export async function expireInterrupts(tx: Tx): Promise<number> {
  const [due] = await tx<{ job_id: string; owner_id: string }[]>`
    select job_interrupts.job_id, jobs.owner_id from job_interrupts join jobs on jobs.id = job_id
    where ${mayExpire(tx)} and deadline_at <= statement_timestamp() order by deadline_at limit 1`;
  return due ? expire(tx, { jobId: due.job_id, ownerId: due.owner_id }) : 0;
}

async function expire(tx: Tx, key: { jobId: string; ownerId: string }): Promise<number> {
  const job = await lockJob(tx, key);
  const { jobId } = job;
  if (job.status === "completed" || job.status === "failed" || job.status === "cancelled") {
    const forgotten = await tx`delete from job_interrupts where job_id = ${jobId} and answered_at is null`;
    return forgotten.count;
  }
  const answered = await tx<{ interrupt_id: string }[]>`
    update job_interrupts set answer = default_answer, answered_at = clock_timestamp()
    where job_id = ${jobId} and answered_at is null and on_deadline = 'default' and deadline_at <= clock_timestamp()
    returning interrupt_id`;
  if (answered.length > 0) {
    if (job.status === "waiting") {
      const interruptIds = answered.map((one) => one.interrupt_id);
      await resume(tx, job, { interruptIds, byDefault: true });
    }
    return answered.length;
  }
  const failed = await tx`
    with due as (
      select kind, deadline_at from job_interrupts where job_id = ${jobId} and answered_at is null and deadline_at <= clock_timestamp() limit 1
    )
    update jobs set status = 'failed', completed_at = clock_timestamp(),
      error_message = 'Nobody answered the ' || due.kind || ' before its deadline, ' || to_char(due.deadline_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
    from due where jobs.id = ${jobId} and jobs.status = 'waiting'`;
  if (failed.count === 0) return 0;
  await tx`delete from job_interrupts where job_id = ${jobId} and answered_at is null`;
  await afterEnd(tx, job, "failed");
  return 1;
}
