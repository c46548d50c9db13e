import { createHash } from "node:crypto";
import { splitItems } from "./split-items.ts";

/** One stored row of a list: the items that it adds to the row below it. */
interface Segment {
  version: string;
  items: number;
  chars: number;
}

/** How a list channel's last version lies in rows, oldest first, and a fingerprint of each of its items. */
export interface ListLayout {
  segments: readonly Segment[];
  prints: readonly string[];
}

const SHORT_CHARS = 64;

/** The layout of a list that was read from the given rows, oldest first. */
export function layoutOf(rows: readonly { version: string; value: string }[]): ListLayout {
  const split = rows.map(({ version, value }) => ({ version, texts: splitItems(value), chars: value.length }));
  return {
    segments: split.map(({ version, texts, chars }) => ({ version, items: texts.length, chars })),
    prints: split.flatMap(({ texts }) => texts.map(fingerprint)),
  };
}

/**
 * How to store a list's next version: only what differs from the present rows, on top of the newest row that stays.
 * A row is merged into the new one unless it is at least twice as long, so that the rows to read grow with the
 * logarithm of the list and each item is written a logarithmic number of times.
 */
export function extendLayout(
  before: ListLayout | undefined,
  version: string,
  text: string,
): { layout: ListLayout; baseVersion: string | null; value: string } {
  const texts = splitItems(text);
  const prints = texts.map(fingerprint);
  const old = before?.prints ?? [];
  const differs = prints.findIndex((print, index) => print !== old[index]);
  const same = differs === -1 ? Math.min(prints.length, old.length) : differs;

  const kept: Segment[] = [];
  let start = 0;
  for (const segment of before?.segments ?? []) {
    if (start + segment.items > same || segment.version === version) break;
    kept.push(segment);
    start += segment.items;
  }
  let chars = texts.slice(start).reduce((sum, item) => sum + item.length, 0);
  for (let last = kept.at(-1); last && last.chars < 2 * chars; last = kept.at(-1)) {
    kept.pop();
    start -= last.items;
    chars += last.chars;
  }
  return {
    layout: { segments: [...kept, { version, items: texts.length - start, chars }], prints },
    baseVersion: kept.at(-1)?.version ?? null,
    value: `[${texts.slice(start).join(",")}]`,
  };
}

function fingerprint(text: string): string {
  return text.length <= SHORT_CHARS ? text : createHash("sha256").update(text).digest("base64");
}
