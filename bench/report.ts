import type { Figure } from "./benchmark.ts";

const HEADINGS = ["figure", "value", "unit", "target", ""];

/** A number rounded for people: whole from 100 on, else two decimals. */
function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(2);
}

/** Whether a figure meets its target; empty without a target. */
export function verdict({ target, value }: Figure): "met" | "missed" | "" {
  if (!target) return "";
  return (target.at === "least" ? value >= target.value : value <= target.value) ? "met" : "missed";
}

/** All figures as one table of plain text. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { label, value, unit, target } = figure;
    return [
      label,
      formatNumber(value),
      unit,
      target ? `${target.at === "least" ? "≥" : "≤"} ${target.value}` : "",
      verdict(figure),
    ];
  });
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(HEADINGS), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}
