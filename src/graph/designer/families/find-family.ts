import { BEHAVIOUR_FAMILIES } from "./behaviour.ts";
import { CONTENT_FAMILIES } from "./content.ts";
import type { TaskFamily } from "./task-family.ts";

const FAMILIES: readonly TaskFamily[] = [...BEHAVIOUR_FAMILIES, ...CONTENT_FAMILIES];
const FALLBACK = "tabular prediction";

/** Finds the family that most words of a request match; null when none matches. The general family weighs less. */
export function findFamily(request: string): TaskFamily | null {
  let best: TaskFamily | null = null;
  let bestScore = 0;
  for (const family of FAMILIES) {
    const matches = [...request.matchAll(family.words)].filter(
      ({ index }) => !/\p{L}/u.test(request.charAt(index - 1)),
    );
    const words = new Set(matches.map(([word]) => word.toLowerCase()));
    const score = words.size * (family.name === FALLBACK ? 0.6 : 1);
    if (score > bestScore) [best, bestScore] = [family, score];
  }
  return best;
}

/** @throws Error when no family has the name. A stored design always names a family. */
export function familyNamed(name: string): TaskFamily {
  const family = FAMILIES.find((candidate) => candidate.name === name);
  if (!family) throw new Error(`there is no task family named ${JSON.stringify(name)}`);
  return family;
}
