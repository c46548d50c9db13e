import type {
  Checkpoint,
  CheckpointMetadata,
  CheckpointTuple,
  SerializerProtocol,
} from "@langchain/langgraph-checkpoint";
import { layoutOf } from "./list-layout.ts";
import type { StoredBlob, StoredCheckpoint } from "./read-rows.ts";
import { joinArrays } from "./split-items.ts";
import { revive } from "./text-serde.ts";
import type { StoredValue } from "./text-serde.ts";
import type { WriteBehind } from "./write-behind.ts";

/** A stored checkpoint as the graph takes it. */
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

/** Makes known to the writing side how the lists of a checkpoint lie in rows. */
export function learnLists(behind: WriteBehind, stored: StoredCheckpoint): void {
  for (const [channel, rows] of stored.blobs) {
    if (rows[0]?.type !== "json" || !rows[0].value.startsWith("[")) continue;
    let layout: ReturnType<typeof layoutOf> | undefined;
    behind.learn(stored, channel, () => (layout ??= layoutOf(rows)));
  }
}

function wholeValue(rows: readonly StoredBlob[]): StoredValue {
  const [first] = rows;
  if (!first) throw new Error("a channel's value has no rows");
  return rows.length === 1 ? first : { type: first.type, value: joinArrays(rows.map((row) => row.value)) };
}
