import type { Tx } from "#db";
import { settleDependents } from "./dependencies.ts";
import { lockJob } from "./lock-job.ts";
import { readyAnswered } from "./park.ts";
import { passOn } from "./ready.ts";
import { notifyEvents } from "./wake.ts";

/**
 * Acts on what one job asked and nobody answered by the deadline: the default becomes the answer, or the job fails.
 * What a job asked that has ended is forgotten. Returns how many questions it acted on; call it again while it does.
 */
export async function expireInterrupts(tx: Tx): Promise<number> {
  const [due] = await tx<{ job_id: string; owner_id: string }[]>`
    select job_interrupts.job_id, jobs.owner_id from job_interrupts join jobs on jobs.id = job_id
    where answered_at is null and deadline_at <= statement_timestamp() order by deadline_at limit 1`;
  return due ? expire(tx, { jobId: due.job_id, ownerId: due.owner_id }) : 0;
}

async function expire(tx: Tx, key: { jobId: string; ownerId: string }): Promise<number> {
  const job = await lockJob(tx, key);
  const { jobId } = job;
  if (job.status === "completed" || job.status === "failed" || job.status === "cancelled") {
    const forgotten = await tx`delete from job_interrupts where job_id = ${jobId} and answered_at is null`;
    return forgotten.count;
  }
  const answered = await tx`
    update job_interrupts set answer = default_answer, answered_at = clock_timestamp()
    where job_id = ${jobId} and answered_at is null and on_deadline = 'default' and deadline_at <= clock_timestamp()`;
  if (answered.count > 0) {
    if (job.status === "waiting") await readyAnswered(tx, jobId);
    return answered.count;
  }
  // While it runs on with another's answer, the run decides whether the question still stands.
  const failed = await tx<{ has_dependents: boolean }[]>`
    with due as (
      select kind, deadline_at from job_interrupts where job_id = ${jobId} and answered_at is null and deadline_at <= clock_timestamp() limit 1
    )
    update jobs set status = 'failed', completed_at = clock_timestamp(),
      error_message = 'Nobody answered the ' || due.kind || ' before its deadline, ' || to_char(due.deadline_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
    from due where jobs.id = ${jobId} and jobs.status = 'waiting'
    returning has_dependents`;
  // Put off, or the keeper would look at it again at once.
  await tx`
    update job_interrupts set deadline_at = clock_timestamp() + interval '1 second'
    where job_id = ${jobId} and answered_at is null and deadline_at <= clock_timestamp() and ${failed.count === 0}`;
  if (failed.count === 0) return 0;
  await tx`delete from job_interrupts where job_id = ${jobId} and answered_at is null`;
  await notifyEvents(tx, job);
  await passOn(tx, job);
  if (failed[0]?.has_dependents) await settleDependents(tx, jobId, "failed");
  return 1;
}
