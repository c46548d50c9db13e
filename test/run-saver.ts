import type { RunnableConfig } from "@langchain/core/runnables";
import { MemorySaver } from "@langchain/langgraph";
import type { Checkpoint, CheckpointMetadata } from "@langchain/langgraph";

/** A saver in memory that stores `run_id` in the metadata: without it, a retry would not resume. */
export class RunSaver extends MemorySaver {
  override async put(config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata) {
    const kept = { ...metadata, run_id: config.configurable?.["run_id"] as string };
    return super.put(config, checkpoint, kept);
  }
}
