import type { Claim, Database } from "#queue";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";

/** What a chaos graph is built with. */
export interface Stage {
  /** Called by each node when it begins; `label` tells apart the tasks that one node has in a step. */
  begin: (config: LangGraphRunnableConfig, label?: string) => Promise<void>;
  /** How long one piece of a node's work takes, in milliseconds. */
  paceMs: number;
}

/** A stage on which nothing is noted and nothing takes time. */
export const QUIET_STAGE: Stage = { begin: async () => undefined, paceMs: 0 };

/**
 * Makes the tables in which the crash tests note, outside the fence, when nodes begin and what the checkpoint tables
 * have taken. What a node's task has written counts as stored from the commit that wrote it, and whoever wrote it is
 * known by its connection: a worker's connections bear its id.
 */
export async function createNodeRuns(db: Database): Promise<void> {
  await db.sql.unsafe(`
    create table chaos_nodes (
      id bigserial primary key, job_id uuid, attempt int, place text, task_id text, stored_by int
    );
    create index on chaos_nodes (job_id, place);
    create table chaos_stored (
      id bigserial primary key, kind text, thread_id text, ns text, task_id text, job_id uuid, attempt int, writer text,
      held boolean, ended boolean
    );
    create index on chaos_stored (task_id);
    create function chaos_note_stored() returns trigger language plpgsql as $$
    declare
      owner record;
      stored jsonb := to_jsonb(new);
    begin
      -- Whoever wrote holds the lock on its job's row, if it asked for it: what is read here is what held when it wrote.
      -- A transaction that has completed the job held its lease when it did, and until it ends nobody else can.
      select id, attempt, case status
          when 'running' then worker_id = current_setting('application_name') and lease_expires_at > statement_timestamp()
          else last_worker_id = current_setting('application_name')
        end as holds
        into owner from jobs where thread_id = new.thread_id::uuid
          and (status = 'running' or (status = 'completed' and xmin = pg_current_xact_id()::xid));
      insert into chaos_stored (kind, thread_id, ns, task_id, job_id, attempt, writer, held, ended)
        values (tg_table_name, new.thread_id, new.checkpoint_ns, stored ->> 'task_id', owner.id, owner.attempt,
          current_setting('application_name'), coalesce(owner.holds, false),
          stored ->> 'channel' not in ('__interrupt__', '__resume__', '__error__', '__error_source_node__', '__scheduled__'));
      return null;
    end $$;
    create trigger chaos_checkpoint after insert or update on langgraph.checkpoints for each row execute function chaos_note_stored();
    create trigger chaos_writes after insert or update on langgraph.checkpoint_writes for each row execute function chaos_note_stored();`);
}

/**
 * A stage that notes when the nodes of an attempt begin, and which attempt had already stored what the same node of the
 * same turn gave, as one statement sees it before the node does anything.
 */
export function notedStage(db: Database, { jobId, attempt }: Claim, paceMs: number): Stage {
  return {
    paceMs,
    begin: async (config, label) => {
      const path = ((config.configurable?.["checkpoint_ns"] as string | undefined) ?? "")
        .split("|")
        .map((part) => part.split(":"));
      const taskId = path.at(-1)?.[1] ?? null;
      const place = [path.map(([name]) => name).join("/"), label].filter(Boolean).join(" ");
      await db.call(
        async (sql) => sql`
          insert into chaos_nodes (job_id, attempt, place, task_id, stored_by)
          values (${jobId}, ${attempt}, ${place}, ${taskId}, (
            select min(stored.attempt) from chaos_nodes as before join chaos_stored as stored on stored.task_id = before.task_id
            where before.job_id = ${jobId} and before.place = ${place} and stored.ended))`,
      );
    },
  };
}
