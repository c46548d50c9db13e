import { formatAge, formatMoment } from "./age.ts";
import { useNow } from "./now.ts";

/** The current age of a time. Hovering shows the full time. */
export function Age({ iso, suffix = "" }: { iso: string; suffix?: string }) {
  const text = formatAge(iso, useNow());
  return (
    <time dateTime={iso} title={formatMoment(iso)} className="tabular-nums">
      {text}
      {text === "now" ? "" : suffix}
    </time>
  );
}
