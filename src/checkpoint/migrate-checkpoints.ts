import type postgres from "postgres";

/**
 * Creates the schema `langgraph` and its tables; idempotent. Call it under the migration's lock.
 *
 * Keys are bytewise (`collate "C"`), because that is how the graph orders ids and task paths. Values are text: JSON
 * escapes what `text` cannot hold, and what is not JSON is base64. The newest checkpoint is the one that was written
 * last, by `seq`: ids hold the time of the process that made them, and clocks differ.
 */
export async function migrateCheckpoints(sql: postgres.Sql): Promise<void> {
  await sql.unsafe(`
    create schema if not exists langgraph;
    -- LangGraph's own saver may have been given this schema: its tables have the same names, and JSON where ours have text.
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
    -- Looked for first: even where they are there, adding them would wait for every run under way.
    do $$ begin
      if to_regclass('langgraph.idx_checkpoints_newest') is null then
        alter table langgraph.checkpoints add column seq bigint not null generated always as identity;
        create index idx_checkpoints_newest on langgraph.checkpoints (thread_id, checkpoint_ns, seq);
      end if;
    end $$;
    -- One row a version of a channel. A list's row holds only its tail when base_version, another row, holds its head.
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
