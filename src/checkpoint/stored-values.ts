import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { createHash } from "node:crypto";

/** A value as stored in a row: JSON as text, any other type as base64. */
export interface StoredValue {
  type: string;
  value: string;
}

/** Serialises a value synchronously, before the caller can change it. The returned promise resolves later. */
export async function dump(serde: SerializerProtocol, value: unknown): Promise<StoredValue> {
  const [type, bytes] = await serde.dumpsTyped(value);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { type, value: buffer.toString(type === "json" ? "utf8" : "base64") };
}

/** Restores a value that `dump` serialised. */
export async function revive(serde: SerializerProtocol, { type, value }: StoredValue): Promise<unknown> {
  return (await serde.loadsTyped(
    type,
    type === "json" ? value : new Uint8Array(Buffer.from(value, "base64")),
  )) as unknown;
}

/** One stored row of a list, which adds items to its base row. */
interface Segment {
  version: string;
  itemCount: number;
  charCount: number;
}

/** The rows of a list channel's last version, oldest first, and a fingerprint of each item. */
export interface ListLayout {
  segments: readonly Segment[];
  fingerprints: readonly string[];
}

const SHORT_CHARS = 64;
const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
/** [ and { */
const OPENERS = new Set([91, 123]);
/** ] and } */
const CLOSERS = new Set([93, 125]);

/** The layout of a list that is stored in the given rows, oldest first. */
export function layoutOf(rows: readonly { version: string; value: string }[]): ListLayout {
  const split = rows.map(({ version, value }) => ({ version, texts: splitItems(value), charCount: value.length }));
  return {
    segments: split.map(({ version, texts, charCount }) => ({ version, itemCount: texts.length, charCount })),
    fingerprints: split.flatMap(({ texts }) => texts.map(fingerprint)),
  };
}

/**
 * Computes the row of a list's next version. It holds the items after the unchanged rows, and its base is the last of
 * these. A row shorter than twice the new row is merged into it. So n items lie in O(log n) rows, and an item is written
 * O(log n) times.
 */
export function extendLayout(
  before: ListLayout | undefined,
  version: string,
  text: string,
): { layout: ListLayout; baseVersion: string | null; value: string } {
  const texts = splitItems(text);
  const fingerprints = texts.map(fingerprint);
  const old = before?.fingerprints ?? [];
  const firstChange = fingerprints.findIndex((one, index) => one !== old[index]);
  const sameCount = firstChange === -1 ? Math.min(texts.length, old.length) : firstChange;

  const kept: Segment[] = [];
  let start = 0;
  for (const segment of before?.segments ?? []) {
    if (start + segment.itemCount > sameCount || segment.version === version) break;
    kept.push(segment);
    start += segment.itemCount;
  }
  let charCount = texts.slice(start).reduce((sum, item) => sum + item.length, 0);
  for (let last = kept.at(-1); last && last.charCount < 2 * charCount; last = kept.at(-1)) {
    kept.pop();
    start -= last.itemCount;
    charCount += last.charCount;
  }
  return {
    layout: { segments: [...kept, { version, itemCount: texts.length - start, charCount }], fingerprints },
    baseVersion: kept.at(-1)?.version ?? null,
    value: `[${texts.slice(start).join(",")}]`,
  };
}

function fingerprint(text: string): string {
  return text.length <= SHORT_CHARS ? text : createHash("sha256").update(text).digest("base64");
}

/** Splits the text of a JSON array into the texts of its items. The JSON must have no white space between tokens. */
export function splitItems(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let start = 1;
  for (let at = 1; at < text.length - 1; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (OPENERS.has(code)) depth += 1;
    else if (CLOSERS.has(code)) depth -= 1;
    else if (code === COMMA && depth === 0) {
      items.push(text.slice(start, at));
      start = at + 1;
    }
  }
  if (text.length > 2) items.push(text.slice(start, -1));
  return items;
}

/** Concatenates JSON arrays, as text. */
export function joinArrays(texts: readonly string[]): string {
  const inner = texts.map((text) => text.slice(1, -1)).filter((text) => text !== "");
  return `[${inner.join(",")}]`;
}

function endOfString(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); ; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
}
