import type { RunnableConfig } from "@langchain/core/runnables";
import { MemorySaver } from "@langchain/langgraph";
import type { Checkpoint, CheckpointMetadata } from "@langchain/langgraph";

/** A saver in memory that keeps the run's id, as a saver must so that a retry resumes. */
export class RunSaver extends MemorySaver {
  override async put(config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata) {
    const kept = { ...metadata, run_id: config.configurable?.["run_id"] as string };
    return super.put(config, checkpoint, kept);
  }
}
