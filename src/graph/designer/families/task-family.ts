import type { ModelKind } from "./model-kinds.ts";

/** One way to solve a task. */
export interface ModelOption {
  name: string;
  kind: ModelKind;
  /** The fewest examples with which it is worth training. */
  minRows: number;
  /** Expected quality among the options of its family, from 1 to 5. */
  quality: number;
  because: string;
  /** Completes "wins when …". */
  winsWhen: string;
}

export interface Risk {
  risk: string;
  mitigation: string;
}

/** One family of machine-learning tasks and how systems of its kind are usually built. */
export interface TaskFamily {
  name: string;
  /** Each match counts for the family. */
  words: RegExp;
  data: string;
  features: string;
  baseline: string;
  options: readonly [ModelOption, ...ModelOption[]];
  metric: string;
  /** What a first release must reach, where the user named no target. */
  threshold: string;
  online: string;
  risks: readonly Risk[];
  retrain: string;
}
