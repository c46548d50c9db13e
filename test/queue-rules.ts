/** The limit of ready and running jobs per limited key. */
export const PLACES = 2;

/** The invariants after every step. Each query finds the rows that break one. */
export const RULES: Record<string, string> = {
  "one job of a thread runs":
    "select thread_id from jobs where status = 'running' and thread_id is not null group by 1 having count(*) > 1",
  "a thread with unfinished jobs has one head": `select thread_id from jobs where thread_id is not null and status in ('queued', 'running', 'waiting')
    group by 1 having count(*) filter (where hold is distinct from 'thread') <> 1`,
  "places are not exceeded": `select limit_key from jobs where limit_key is not null and (status = 'running' or (status = 'queued' and hold is null))
    group by 1 having count(*) > ${PLACES}`,
  "no place stays free while its key waits": `select limit_key from jobs where limit_key is not null
    and not exists (select 1 from limit_keys where key = jobs.limit_key and admit_at is not null)
    group by 1 having count(*) filter (where status = 'queued' and hold = 'limit') > 0
      and count(*) filter (where status = 'running' or (status = 'queued' and hold is null)) < ${PLACES}`,
  "a waiting job has an open question and no worker": `select id from jobs where status = 'waiting' and (worker_id is not null
    or not exists (select 1 from job_interrupts where job_id = jobs.id and answered_at is null))`,
  "logs have no gap":
    "select id from jobs where event_seq <> (select count(*) from job_events where job_id = jobs.id) or event_seq <> coalesce((select max(seq) from job_events where job_id = jobs.id), 0)",
  "attempts agree with their job": `select jobs.id from jobs join job_attempts on job_id = jobs.id where job_attempts.attempt > jobs.attempt
    or (jobs.status = 'running' and job_attempts.attempt = jobs.attempt)`,
  "a job held for its dependencies has some, and a ready job has none": `select id from jobs where status = 'queued' and ((hold = 'dependency' and pending_dependencies = 0)
    or (hold is null and pending_dependencies > 0))`,
  "pending_dependencies is the number of dependencies": `select id from jobs where status = 'queued' and pending_dependencies <> (
    select count(*) from job_dependencies where job_id = jobs.id)`,
  "the dependencies of a queued job are unfinished": `select jobs.id from jobs join job_dependencies d on d.job_id = jobs.id join jobs o on o.id = d.depends_on
    where jobs.status = 'queued' and o.status in ('completed', 'failed', 'cancelled')`,
};
