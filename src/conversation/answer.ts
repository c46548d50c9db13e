import type { Tx } from "#db";
import { checkPayload, NotFoundError, InvalidAnswerError, JobConflictError, lockJob } from "#queue";
import type { JobKey } from "#queue";
import { resume } from "#queue/ready";
import { checkAnswers } from "./check-answers.ts";

export interface Answer extends JobKey {
  /** The interrupt to answer; absent when `answers` is an object of answers by interrupt id. */
  interruptId?: string | undefined;
  answers: unknown;
}

interface Asked {
  interrupt_id: string;
  schema: unknown;
  answered: boolean;
}

/**
 * Answers one or several interrupts of a job, all or none, and queues the job if it waits. An interrupt can also be
 * answered while the job runs with another answer, and after its deadline until the maintainer has expired it.
 * @throws NotFoundError when the owner has no such job or the job has no such interrupt; InvalidAnswerError when an answer
 * does not fit the interrupt's schema; JobConflictError when it was answered before or the job has ended.
 */
export async function answer(tx: Tx, { interruptId, answers, ...key }: Answer): Promise<"queued" | "running"> {
  const given = answersById(interruptId, answers);
  // Checked without a lock, because a check may take seconds.
  const checked = await readAsked(tx, key);
  await checkAnswers(
    checked.flatMap(({ interrupt_id: id, schema, answered }) =>
      given.has(id) && !answered ? [{ interruptId: id, schema, value: given.get(id) }] : [],
    ),
  );
  const job = await lockJob(tx, key);
  if (job.status === "completed" || job.status === "failed" || job.status === "cancelled") {
    throw new JobConflictError(`The job has ended as ${job.status}: its questions can no longer be answered`);
  }
  const asked = await readAsked(tx, key);
  for (const id of given.keys()) checkOpen(id, asked, checked);
  await tx`
    update job_interrupts set answer = given.value, answered_at = clock_timestamp()
    from jsonb_to_recordset(${JSON.stringify([...given].map(([id, value]) => ({ id, value: [value] })))}::text::jsonb) as given (id text, value jsonb)
    where job_id = ${job.jobId} and interrupt_id = given.id`;
  // A running job is not resumed: only its worker may write its events.
  if (job.status !== "waiting") return job.status;
  await resume(tx, job, { interruptIds: [...given.keys()] });
  return "queued";
}

function answersById(interruptId: string | undefined, answers: unknown): Map<string, unknown> {
  if (interruptId !== undefined) {
    checkPayload(answers);
    return new Map([[interruptId, answers]]);
  }
  if (typeof answers !== "object" || answers === null || Array.isArray(answers) || Object.keys(answers).length === 0) {
    throw new InvalidAnswerError("answers must be an object of answers by interrupt id where interruptId is absent");
  }
  checkPayload(answers);
  return new Map(Object.entries(answers));
}

/** The job's interrupts so far. */
async function readAsked(tx: Tx, { jobId, ownerId }: JobKey): Promise<Asked[]> {
  return tx<Asked[]>`
    select interrupt_id, job_interrupts.schema, answered_at is not null as answered
    from job_interrupts join jobs on jobs.id = job_id where job_id = ${jobId} and owner_id = ${ownerId}`;
}

/** Checks that an interrupt is open and that its schema has not changed since the check of its answer. */
function checkOpen(id: string, asked: readonly Asked[], checked: readonly Asked[]): void {
  const now = asked.find((one) => one.interrupt_id === id);
  if (!now) throw new NotFoundError("Interrupt", id);
  if (now.answered) throw new JobConflictError(`Interrupt ${id} has been answered already`);
  const before = checked.find((one) => one.interrupt_id === id);
  if (JSON.stringify(before?.schema) !== JSON.stringify(now.schema))
    throw new JobConflictError(`Interrupt ${id} was asked anew meanwhile: answer again`);
}
