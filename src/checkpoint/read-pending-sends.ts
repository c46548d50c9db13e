import { maxChannelVersion, TASKS } from "@langchain/langgraph-checkpoint";
import type { CheckpointTuple, SerializerProtocol } from "@langchain/langgraph-checkpoint";
import type { StoredCheckpoint } from "./read-rows.ts";
import { revive } from "./text-serde.ts";

/** Checkpoints of formats before 4 kept sent tasks only as writes of their parent: makes them a channel's value. */
export async function readPendingSends(
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
