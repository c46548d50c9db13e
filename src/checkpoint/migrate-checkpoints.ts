import type postgres from "postgres";

/**
 * Creates the schema `langgraph` and its tables; idempotent. Call it under the migration lock.
 *
 * Keys compare bytewise (`collate "C"`), as LangGraph orders ids and task paths. Values are text: JSON escapes the
 * characters that `text` cannot hold, and other types are base64. The newest checkpoint has the highest `seq`, not the
 * highest id: an id contains the clock of its process, and clocks differ.
 */
export async function migrateCheckpoints(sql: postgres.Sql): Promise<void> {
  await sql.unsafe(`
    create schema if not exists langgraph;
    -- LangGraph's own saver may use this schema: its tables have the same names, with JSON columns in place of text.
    do $$ begin
      if exists (select from pg_attribute where attrelid = to_regclass('langgraph.checkpoints')
        and attname = 'checkpoint' and atttypid <> 'text'::regtype)
      then raise duplicate_table using message = 'relation "langgraph.checkpoints" already exists'; end if;
    end $$;
    create table if not exists langgraph.checkpoints (
      thread_id text collate "C" not null, checkpoint_ns text collate "C" not null, checkpoint_id text collate "C" not null,
      parent_checkpoint_id text, channel_versions json not null, checkpoint text not null, metadata text not null,
      primary key (thread_id, checkpoint_ns, checkpoint_id)
    );
    -- Checked first: even with "if not exists", the "alter table" would wait for every running job.
    do $$ begin
      if to_regclass('langgraph.idx_checkpoints_newest') is null then
        alter table langgraph.checkpoints add column seq bigint not null generated always as identity;
        create index idx_checkpoints_newest on langgraph.checkpoints (thread_id, checkpoint_ns, seq);
      end if;
    end $$;
    -- One row for each version of a channel. With base_version, a list's row holds only the items after the base row's.
    create table if not exists langgraph.checkpoint_blobs (
      thread_id text collate "C" not null, checkpoint_ns text collate "C" not null, channel text collate "C" not null,
      version text collate "C" not null, base_version text collate "C", type text not null, value text not null,
      primary key (thread_id, checkpoint_ns, channel, version)
    );
    create table if not exists langgraph.checkpoint_writes (
      thread_id text collate "C" not null, checkpoint_ns text collate "C" not null, checkpoint_id text collate "C" not null,
      task_id text collate "C" not null, idx int not null, task_path text collate "C" not null,
      channel text not null, type text not null, value text not null,
      primary key (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
    );`);
}
