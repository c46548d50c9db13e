import type { Hold, JobStatus } from "#shared/job-states";
import { Badge } from "../../ui/badge.tsx";
import type { Tone } from "../../ui/badge.tsx";

const TONES: Record<JobStatus, Tone> = {
  queued: "neutral",
  running: "info",
  waiting: "ask",
  completed: "good",
  failed: "bad",
  cancelled: "warn",
};

const HOLD_REASONS: Record<Hold, string> = {
  time: "Scheduled for later",
  thread: "Behind an earlier job of its thread",
  dependency: "Waits for other jobs",
  paused: "Its job type is paused",
  limit: "Waits for a place under a limit",
};

/** A job's status; for a queued one that is not ready, why. */
export function StatusBadge({ status, hold = null }: { status: JobStatus; hold?: Hold | null }) {
  return (
    <span title={hold === null ? undefined : HOLD_REASONS[hold]}>
      <Badge tone={TONES[status]} pulse={status === "running"}>
        {status}
        {hold !== null && <span className="font-normal opacity-80">· {hold}</span>}
      </Badge>
    </span>
  );
}
