/**
 * Formats times for the pages. One shared clock keeps them current.
 * This folder must not know features.
 * Invariant: times arrive as ISO 8601 strings; spans are in milliseconds.
 */
const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** The age of a time in one unit: `now`, `12s`, `4m`, `2h`, `3d`. A future time counts as now. */
export function formatAge(iso: string, nowMs: number): string {
  const seconds = Math.floor((nowMs - Date.parse(iso)) / 1000);
  if (!(seconds >= 1)) return "now";
  if (seconds < MINUTE_S) return `${seconds}s`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)}m`;
  if (seconds < DAY_S) return `${Math.floor(seconds / HOUR_S)}h`;
  return `${Math.floor(seconds / DAY_S)}d`;
}

/** A duration in at most two units: `840ms`, `3.2s`, `2m 5s`, `1h 4m`. */
export function formatDuration(durationMs: number): string {
  const spanMs = Math.max(0, durationMs);
  if (spanMs < 1000) return `${Math.round(spanMs)}ms`;
  if (spanMs < 10_000) return `${(Math.floor(spanMs / 100) / 10).toFixed(1)}s`;
  const seconds = Math.floor(spanMs / 1000);
  if (seconds < MINUTE_S) return `${seconds}s`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)}m ${seconds % MINUTE_S}s`;
  return `${Math.floor(seconds / HOUR_S)}h ${Math.floor((seconds % HOUR_S) / MINUTE_S)}m`;
}

/** A time to the second, in the user's time zone and language. */
export function formatMoment(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}
