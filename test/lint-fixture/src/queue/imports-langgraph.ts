// violates: layers/cross-layer
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
export type Saver = BaseCheckpointSaver;
