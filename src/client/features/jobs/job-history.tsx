import type { AttemptOutcome } from "#shared/job-states";
import type { Attempt, JobEvent } from "../../outputs.ts";
import { formatDuration, formatMoment } from "../../time/age.ts";
import { useNow } from "../../time/now.ts";
import { formatUsage } from "../../usage/format-usage.ts";
import { Badge } from "../../ui/index.ts";
import type { Tone } from "../../ui/index.ts";

const TONES: Record<AttemptOutcome, Tone> = {
  completed: "good",
  failed: "bad",
  lease_expired: "bad",
  crashed: "bad",
  timed_out: "bad",
  released: "neutral",
  cancelled: "warn",
  waiting: "ask",
};

/** A job's attempts: worker, duration and outcome. */
export function AttemptList({ attempts }: { attempts: readonly Attempt[] }) {
  const nowMs = useNow();
  if (attempts.length === 0) return <p className="text-sm text-faint">Not claimed yet.</p>;
  return (
    <ol aria-label="Attempts" className="flex flex-col gap-2">
      {attempts.map((attempt) => {
        const endMs = attempt.endedAt === null ? nowMs : Date.parse(attempt.endedAt);
        return (
          <li key={attempt.attempt} className="rounded-xl border border-line bg-raised p-3.5 text-sm">
            <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
              <span className="font-medium">Attempt {attempt.attempt}</span>
              {attempt.outcome === null ? (
                <Badge tone="info" pulse>
                  running
                </Badge>
              ) : (
                <Badge tone={TONES[attempt.outcome]}>{attempt.outcome.replace("_", " ")}</Badge>
              )}
              <span className="text-faint tabular-nums">{formatDuration(endMs - Date.parse(attempt.startedAt))}</span>
              {attempt.usage !== null && (
                <span className="text-xs text-faint tabular-nums">{formatUsage(attempt.usage)}</span>
              )}
              <span className="font-mono text-xs text-faint [overflow-wrap:anywhere]">{attempt.workerId}</span>
              <span className="ml-auto text-xs text-faint">{formatMoment(attempt.startedAt)}</span>
            </div>
            {attempt.errorMessage !== null && (
              <p className="mt-2 text-bad [overflow-wrap:anywhere]">
                {attempt.errorName !== null && <span className="font-medium">{attempt.errorName}: </span>}
                {attempt.errorMessage}
              </p>
            )}
            {attempt.errorStack !== null && (
              <details className="mt-2">
                <summary className="cursor-pointer text-xs text-faint">Stack</summary>
                <pre className="mt-1.5 max-h-72 overflow-auto rounded-lg bg-panel p-3 font-mono text-xs whitespace-pre-wrap">
                  {attempt.errorStack}
                </pre>
              </details>
            )}
          </li>
        );
      })}
    </ol>
  );
}

/** A job's event log, oldest first. */
export function EventList({ events }: { events: readonly JobEvent[] }) {
  if (events.length === 0) return <p className="text-sm text-faint">No events yet.</p>;
  return (
    <ol aria-label="Events" className="overflow-hidden rounded-xl border border-line bg-raised text-sm">
      {events.map((event) => (
        <li key={event.seq} className="flex gap-3 border-b border-line px-4 py-2 last:border-b-0">
          <span className="w-8 shrink-0 text-right text-faint tabular-nums">{event.seq}</span>
          <span className="w-24 shrink-0 font-medium">{event.type}</span>
          <code
            className="min-w-0 flex-1 truncate font-mono text-xs leading-5 text-soft"
            title={JSON.stringify(event.data)}
          >
            {JSON.stringify(event.data) === "{}" ? "" : JSON.stringify(event.data)}
          </code>
          <time dateTime={event.createdAt} className="hidden shrink-0 text-xs leading-5 text-faint sm:inline">
            {formatMoment(event.createdAt)}
          </time>
        </li>
      ))}
    </ol>
  );
}
