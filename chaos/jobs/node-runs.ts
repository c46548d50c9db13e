import type { Claim, Database } from "#queue";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";

/** The hooks that a chaos graph calls. */
export interface NodeHooks {
  /** Called at the start of each node. `label` distinguishes the tasks of one node in a step. */
  begin: (config: LangGraphRunnableConfig, label?: string) => Promise<void>;
  /** The pause before each piece of a node's text, in milliseconds. */
  paceMs: number;
}

/** Hooks that record nothing and do not pause. */
export const NO_HOOKS: NodeHooks = { begin: async () => undefined, paceMs: 0 };

/**
 * Creates two tables outside the fence: `chaos_nodes` records the start of each node, `chaos_stored` each row of the
 * checkpoint tables. A trigger fills `chaos_stored` in the writer's transaction. It identifies the writer by its
 * `application_name`, which is the worker's id.
 */
export async function createNodeTables(db: Database): Promise<void> {
  await db.sql.unsafe(`
    create table chaos_nodes (
      id bigserial primary key, job_id uuid, attempt int, node text, task_id text, stored_by int
    );
    create index on chaos_nodes (job_id, node);
    create table chaos_stored (
      id bigserial primary key, kind text, thread_id text, ns text, task_id text, job_id uuid, attempt int, writer text,
      held boolean, ended boolean
    );
    create index on chaos_stored (task_id);
    create function chaos_record_stored() returns trigger language plpgsql as $$
    declare
      owner record;
      stored jsonb := to_jsonb(new);
    begin
      -- The writer locks its job's row before it writes, so this read sees the lease at the time of the write. A
      -- transaction that has completed the job held the lease then, and no other worker can claim the job before it ends.
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
    create trigger chaos_checkpoint after insert or update on langgraph.checkpoints for each row execute function chaos_record_stored();
    create trigger chaos_writes after insert or update on langgraph.checkpoint_writes for each row execute function chaos_record_stored();`);
}

/**
 * Hooks that record the start of each node of an attempt, before the node does any work. The same statement records
 * whether an attempt had already stored the result of this node (`stored_by`).
 */
export function recordingHooks(db: Database, { jobId, attempt }: Claim, paceMs: number): NodeHooks {
  return {
    paceMs,
    begin: async (config, label) => {
      const path = ((config.configurable?.["checkpoint_ns"] as string | undefined) ?? "")
        .split("|")
        .map((part) => part.split(":"));
      const taskId = path.at(-1)?.[1] ?? null;
      const node = [path.map(([name]) => name).join("/"), label].filter(Boolean).join(" ");
      await db.call(
        async (sql) => sql`
          insert into chaos_nodes (job_id, attempt, node, task_id, stored_by)
          values (${jobId}, ${attempt}, ${node}, ${taskId}, (
            select min(stored.attempt) from chaos_nodes as before join chaos_stored as stored on stored.task_id = before.task_id
            where before.job_id = ${jobId} and before.node = ${node} and stored.ended))`,
      );
    },
  };
}
