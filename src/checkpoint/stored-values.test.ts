import fc from "fast-check";
import { expect, test } from "vitest";
import { extendLayout, joinArrays, layoutOf, splitItems } from "./stored-values.ts";
import type { ListLayout } from "./stored-values.ts";

interface Row {
  baseVersion: string | null;
  value: string;
}

function read(rows: ReadonlyMap<string, Row>, version: string): { version: string; value: string }[] {
  const row = rows.get(version);
  if (!row) throw new Error(`no row ${version}`);
  return [...(row.baseVersion === null ? [] : read(rows, row.baseVersion)), { version, value: row.value }];
}

test("splitting an array's text and joining it again changes no character", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.nat(), (items, cut) => {
      const text = JSON.stringify(items);
      const texts = splitItems(text);
      expect(texts).toEqual(items.map((item) => JSON.stringify(item)));
      const at = cut % (texts.length + 1);
      expect(joinArrays([`[${texts.slice(0, at).join(",")}]`, `[${texts.slice(at).join(",")}]`])).toBe(text);
    }),
  );
});

test("each version of a list reads back whole after any edits, also with a layout read from rows", () => {
  const edit = fc.record({ keep: fc.nat(12), add: fc.array(fc.string({ maxLength: 200 }), { maxLength: 4 }) });
  fc.assert(
    fc.property(fc.array(fc.record({ edit, reread: fc.boolean() }), { maxLength: 25 }), (edits) => {
      const rows = new Map<string, Row>();
      const texts = new Map<string, string>();
      let layout: ListLayout | undefined;
      let list: string[] = [];
      edits.forEach(({ edit: { keep, add }, reread }, index) => {
        if (reread && index > 0) layout = layoutOf(read(rows, String(index - 1)));
        list = [...list.slice(0, list.length - (keep > 9 ? keep - 9 : 0)), ...add];
        const text = JSON.stringify(list);
        const { layout: next, ...row } = extendLayout(layout, String(index), text);
        layout = next;
        rows.set(String(index), row);
        texts.set(String(index), text);
      });
      for (const [version, text] of texts) expect(joinArrays(read(rows, version).map((row) => row.value))).toBe(text);
    }),
  );
});

test("each of 1,000 appended items is written a few times, and the list lies in a few rows", () => {
  const rows = new Map<string, Row>();
  let layout: ListLayout | undefined;
  let written = 0;
  const list: string[] = [];
  for (let index = 0; index < 1_000; index += 1) {
    list.push(`${index} ${"x".repeat(200)}`);
    const { layout: next, ...row } = extendLayout(layout, String(index), JSON.stringify(list));
    layout = next;
    written += row.value.length;
    rows.set(String(index), row);
  }
  expect(written).toBeLessThan(10 * JSON.stringify(list).length);
  for (const version of rows.keys()) expect(read(rows, version).length).toBeLessThanOrEqual(10);
});
