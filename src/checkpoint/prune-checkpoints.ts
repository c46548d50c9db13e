import type { Executor } from "#db";

/**
 * Deletes all but the newest checkpoint of each namespace of the threads, with their values and writes. The conversations
 * can continue, but cannot branch from their past. Lock the threads first: no run of them may be in progress.
 */
export async function pruneCheckpoints(sql: Executor, threadIds: readonly string[]): Promise<void> {
  const ids = [...threadIds];
  const newest = sql`
    select distinct on (thread_id, checkpoint_ns) thread_id, checkpoint_ns, checkpoint_id, channel_versions
    from langgraph.checkpoints where thread_id = any(${ids}::text[])
    order by thread_id, checkpoint_ns, seq desc`;
  await sql`
    with newest as (${newest})
    delete from langgraph.checkpoint_writes as w where w.thread_id = any(${ids}::text[]) and not exists (
      select 1 from newest where (newest.thread_id, newest.checkpoint_ns, newest.checkpoint_id) = (w.thread_id, w.checkpoint_ns, w.checkpoint_id))`;
  await sql`
    with recursive newest as (${newest}),
    needed as (
      select b.thread_id, b.checkpoint_ns, b.channel, b.version, b.base_version
      from newest cross join lateral json_each_text(newest.channel_versions) as v
      join langgraph.checkpoint_blobs b
        on (b.thread_id, b.checkpoint_ns, b.channel, b.version) = (newest.thread_id, newest.checkpoint_ns, v.key, v.value)
      union
      select b.thread_id, b.checkpoint_ns, b.channel, b.version, b.base_version
      from needed join langgraph.checkpoint_blobs b
        on (b.thread_id, b.checkpoint_ns, b.channel, b.version) = (needed.thread_id, needed.checkpoint_ns, needed.channel, needed.base_version)
    )
    delete from langgraph.checkpoint_blobs as b where b.thread_id = any(${ids}::text[]) and not exists (
      select 1 from needed where (needed.thread_id, needed.checkpoint_ns, needed.channel, needed.version) = (b.thread_id, b.checkpoint_ns, b.channel, b.version))`;
  await sql`
    with newest as (${newest})
    delete from langgraph.checkpoints as c where c.thread_id = any(${ids}::text[]) and not exists (
      select 1 from newest where (newest.thread_id, newest.checkpoint_ns, newest.checkpoint_id) = (c.thread_id, c.checkpoint_ns, c.checkpoint_id))`;
}
