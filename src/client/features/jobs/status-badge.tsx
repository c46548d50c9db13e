import type { Hold, JobStatus } from "#shared/job-states";
import { Badge } from "../../ui/index.ts";
import type { Tone } from "../../ui/index.ts";

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
  thread: "Waiting for an earlier job of its thread",
  dependency: "Waiting for other jobs",
  paused: "Its job type is paused",
  limit: "Waiting because a limit is reached",
};

/** A job's status, with the reason when a queued job is held. */
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
