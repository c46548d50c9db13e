import { designSystem } from "./design/design.ts";
import type { Design } from "./design/design.ts";
import { findFamily } from "./families/find-family.ts";
import { readChange } from "./request/read-change.ts";
import { readIntent } from "./request/read-intent.ts";
import type { Topic } from "./request/read-intent.ts";
import { applyChange, isEmptyChange, NO_QUANTITIES } from "./request/requirements.ts";
import type { Requirements } from "./request/requirements.ts";

/** The engine's response to a message. */
export type Thought =
  /** A new version of the design. */
  | { act: "design"; design: Design }
  /** An answer about the current design. */
  | { act: "answer"; topic: Topic }
  /** The effect of a change that is not made. */
  | { act: "suppose"; design: Design }
  /** Too little is known for a design: a question back. */
  | { act: "ask"; missing: "task" | "detail" | "change" };

/** Interprets a message given the current design. Deterministic. */
export function think(request: string, current: Design | null): Thought {
  const family = findFamily(request);
  const change = readChange(request);
  const intent = readIntent(request);
  if (current === null) {
    if (!family) return { act: "ask", missing: intent.aboutMachineLearning ? "detail" : "task" };
    if (family.name === "tabular prediction" && intent.words < 5 && isEmptyChange(change))
      return { act: "ask", missing: "detail" };
    return { act: "design", design: designSystem(start(family.name, request, change), null) };
  }
  if (intent.startsOver && family && family.name !== current.requirements.task)
    return { act: "design", design: designSystem(start(family.name, request, change), current) };
  if (intent.supposes && !isEmptyChange(change)) {
    const design = designSystem(applyChange(current.requirements, change), current);
    return { act: "suppose", design };
  }
  if (intent.topic !== null && (intent.isQuestion || isEmptyChange(change)))
    return { act: "answer", topic: intent.topic };
  if (isEmptyChange(change)) return { act: "ask", missing: "change" };
  const design = designSystem(applyChange(current.requirements, change), current);
  return design.diff.length > 0 ? { act: "design", design } : { act: "answer", topic: "summary" };
}

function start(task: string, request: string, change: ReturnType<typeof readChange>): Requirements {
  const goal = request.trim().replaceAll(/\s+/g, " ").slice(0, 300);
  return applyChange({ task, goal, ...NO_QUANTITIES, constraints: [] }, change);
}
