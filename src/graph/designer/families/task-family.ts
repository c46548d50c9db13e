/**
 * The engine's knowledge: task families, their model options, and the figures of each kind of model.
 * This folder must not know requirements, designs or replies.
 * Invariant: every family has a name, at least one option, and words that find it in a message.
 */
import type { ModelKind } from "./model-kinds.ts";

/** One way to solve a task. */
export interface ModelOption {
  name: string;
  kind: ModelKind;
  /** The fewest examples worth training on. */
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

/** A family of machine-learning tasks, and the usual way to build such systems. */
export interface TaskFamily {
  name: string;
  /** Each distinct match counts for the family. */
  words: RegExp;
  data: string;
  features: string;
  baseline: string;
  options: readonly [ModelOption, ...ModelOption[]];
  metric: string;
  /** The target of a first release when the user named none. */
  threshold: string;
  online: string;
  risks: readonly Risk[];
  retrain: string;
}
