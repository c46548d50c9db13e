import { maxChannelVersion, TASKS } from "@langchain/langgraph-checkpoint";
import type {
  Checkpoint,
  CheckpointMetadata,
  CheckpointTuple,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import type { StoredBlob, StoredCheckpoint } from "./read-rows.ts";
import { joinArrays, revive } from "./stored-values.ts";
import type { StoredValue } from "./stored-values.ts";

/** Converts a stored checkpoint into LangGraph's form. */
export async function toTuple(serde: SerializerProtocol, stored: StoredCheckpoint): Promise<CheckpointTuple> {
  const json = async (value: string) => revive(serde, { type: "json", value });
  const values = [...stored.blobs].map(
    async ([channel, rows]) => [channel, await revive(serde, wholeValue(rows))] as const,
  );
  const key = { thread_id: stored.threadId, checkpoint_ns: stored.ns };
  return {
    config: { configurable: { ...key, checkpoint_id: stored.checkpointId } },
    checkpoint: {
      ...((await json(stored.checkpoint)) as Omit<Checkpoint, "channel_values" | "channel_versions">),
      channel_versions: stored.channelVersions,
      channel_values: Object.fromEntries(await Promise.all(values)),
    },
    metadata: (await json(stored.metadata)) as CheckpointMetadata,
    pendingWrites: await Promise.all(
      stored.writes.map(async (write): Promise<[string, string, unknown]> => [
        write.taskId,
        write.channel,
        await revive(serde, write),
      ]),
    ),
    ...(stored.parentId !== null && { parentConfig: { configurable: { ...key, checkpoint_id: stored.parentId } } }),
  };
}

/** Adds the sent tasks of a checkpoint before format 4, which stored them only as writes of its parent. */
export async function addPendingSends(
  serde: SerializerProtocol,
  tuple: CheckpointTuple,
  parent: StoredCheckpoint,
): Promise<CheckpointTuple> {
  const sends = parent.writes.filter((write) => write.channel === TASKS);
  if (sends.length === 0) return tuple;
  const { checkpoint } = tuple;
  const versions = Object.values(checkpoint.channel_versions);
  return {
    ...tuple,
    checkpoint: {
      ...checkpoint,
      channel_values: {
        ...checkpoint.channel_values,
        [TASKS]: await Promise.all(sends.map(async (send) => revive(serde, send))),
      },
      channel_versions: {
        ...checkpoint.channel_versions,
        [TASKS]: versions.length > 0 ? maxChannelVersion(...versions) : 1,
      },
    },
  };
}

function wholeValue(rows: readonly StoredBlob[]): StoredValue {
  const [first] = rows;
  if (!first) throw new Error("a channel's value has no rows");
  return rows.length === 1 ? first : { type: first.type, value: joinArrays(rows.map((row) => row.value)) };
}
