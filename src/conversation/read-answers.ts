import type { Executor } from "#db";

/** What people have answered to a job, by the interrupts' ids. */
export async function readAnswers(sql: Executor, jobId: string): Promise<Map<string, unknown>> {
  // An answer is kept in a list of one, so that null can be one.
  const rows = await sql<{ interrupt_id: string; answer: [unknown] }[]>`
    select interrupt_id, answer from job_interrupts where job_id = ${jobId} and answered_at is not null`;
  return new Map(rows.map((row) => [row.interrupt_id, row.answer[0]]));
}
