import { formatAge, formatMoment } from "./age.ts";
import { useNow } from "./now.ts";

/** How long ago `iso` was, kept up to date; the full time shows on hover. */
export function Age({ iso, suffix = "" }: { iso: string; suffix?: string }) {
  const text = formatAge(iso, useNow());
  return (
    <time dateTime={iso} title={formatMoment(iso)} className="tabular-nums">
      {text}
      {text === "now" ? "" : suffix}
    </time>
  );
}
