import type { Executor } from "#db";

/** The answers to a job's questions, by interrupt id. */
export async function readAnswers(sql: Executor, jobId: string): Promise<Map<string, unknown>> {
  // An answer is stored in a list of one element, so that it can be null.
  const rows = await sql<{ interrupt_id: string; answer: [unknown] }[]>`
    select interrupt_id, answer from job_interrupts where job_id = ${jobId} and answered_at is not null`;
  return new Map(rows.map((row) => [row.interrupt_id, row.answer[0]]));
}
