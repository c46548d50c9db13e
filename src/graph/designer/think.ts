import { designSystem } from "./design/design.ts";
import type { Design } from "./design/design.ts";
import { findFamily } from "./families/find-family.ts";
import { readChange } from "./request/read-change.ts";
import { readIntent } from "./request/read-intent.ts";
import type { Topic } from "./request/read-intent.ts";
import { applyChange, isEmptyChange, NO_QUANTITIES } from "./request/requirements.ts";
import type { Requirements } from "./request/requirements.ts";

/** What a message leads to. */
export type Thought =
  /** A new version of the design. */
  | { act: "design"; design: Design }
  /** An answer about the present design. */
  | { act: "answer"; topic: Topic }
  /** What a change would do, without making it. */
  | { act: "suppose"; design: Design }
  /** Nothing can be designed yet: a question back. */
  | { act: "ask"; missing: "task" | "detail" | "change" };

/** Decides what a message means in the light of the present design. Deterministic. */
export function think(request: string, present: Design | null): Thought {
  const family = findFamily(request);
  const change = readChange(request);
  const intent = readIntent(request);
  if (present === null) {
    if (!family) return { act: "ask", missing: intent.aboutMachineLearning ? "detail" : "task" };
    if (family.name === "tabular prediction" && intent.words < 5 && isEmptyChange(change))
      return { act: "ask", missing: "detail" };
    return { act: "design", design: designSystem(start(family.name, request, change), null) };
  }
  if (intent.startsOver && family && family.name !== present.requirements.task)
    return { act: "design", design: designSystem(start(family.name, request, change), present) };
  if (intent.supposes && !isEmptyChange(change)) {
    const design = designSystem(applyChange(present.requirements, change), present);
    return { act: "suppose", design };
  }
  if (intent.topic !== null && (intent.isQuestion || isEmptyChange(change)))
    return { act: "answer", topic: intent.topic };
  if (isEmptyChange(change)) return { act: "ask", missing: "change" };
  const design = designSystem(applyChange(present.requirements, change), present);
  return design.diff.length > 0 ? { act: "design", design } : { act: "answer", topic: "summary" };
}

function start(task: string, request: string, change: ReturnType<typeof readChange>): Requirements {
  const goal = request.trim().replaceAll(/\s+/g, " ").slice(0, 300);
  return applyChange({ task, goal, ...NO_QUANTITIES, constraints: [] }, change);
}
