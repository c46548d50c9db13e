import { BEHAVIOUR_FAMILIES } from "./behaviour.ts";
import { CONTENT_FAMILIES } from "./content.ts";
import type { TaskFamily } from "./task-family.ts";

const FAMILIES: readonly TaskFamily[] = [...BEHAVIOUR_FAMILIES, ...CONTENT_FAMILIES];
const FALLBACK = "tabular prediction";

/** The family that most words of a request speak of; null when none does. The general one yields to any other. */
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

/** @throws Error when no family has the name, which a stored design always has. */
export function familyNamed(name: string): TaskFamily {
  const family = FAMILIES.find((candidate) => candidate.name === name);
  if (!family) throw new Error(`no task family is named ${JSON.stringify(name)}`);
  return family;
}
