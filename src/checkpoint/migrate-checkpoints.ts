import type postgres from "postgres";

/** Creates the schema `langgraph` and its tables; idempotent. Call it under the migration's lock. */
export async function migrateCheckpoints(sql: postgres.Sql): Promise<void> {
  await sql.unsafe(`
    create schema if not exists langgraph;
    create table if not exists langgraph.checkpoints (
      thread_id text not null, checkpoint_ns text not null, checkpoint_id text not null, parent_checkpoint_id text,
      type text not null, checkpoint bytea not null, metadata_type text not null, metadata bytea not null,
      primary key (thread_id, checkpoint_ns, checkpoint_id)
    );
    create table if not exists langgraph.checkpoint_writes (
      thread_id text not null, checkpoint_ns text not null, checkpoint_id text not null, task_id text not null, idx int not null,
      channel text not null, type text not null, value bytea not null,
      primary key (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
    );`);
}
