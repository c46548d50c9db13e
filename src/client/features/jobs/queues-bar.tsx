import { Pause, Play } from "lucide-react";
import { describeError } from "../../describe-error.ts";
import { trpc } from "../../trpc.ts";
import { Badge, Button } from "../../ui/index.ts";

const REFRESH_MS = 5_000;

/** The queues with their job counts, and a button that pauses or resumes each. */
export function QueuesBar() {
  const list = trpc.queues.list.useQuery(undefined, { refetchInterval: REFRESH_MS });
  const refresh = { onSuccess: async () => list.refetch() };
  const pause = trpc.queues.pause.useMutation(refresh);
  const resume = trpc.queues.resume.useMutation(refresh);
  const failure = pause.error ?? resume.error;
  return (
    <ul aria-label="Queues" className="flex flex-wrap gap-2">
      {list.data?.queues.map(({ queue, paused, ready, held, running, limits }) => (
        <li
          key={queue}
          className="flex items-center gap-3 rounded-lg border border-line bg-raised py-1 pr-1 pl-3 text-sm"
        >
          <span className="font-medium">{queue}</span>
          {paused && <Badge tone="warn">paused</Badge>}
          <span className="text-faint tabular-nums">
            {ready} ready · {held} held · {running} running
            {limits.concurrency !== undefined && ` of ${limits.concurrency}`}
          </span>
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={paused ? `Resume queue ${queue}` : `Pause queue ${queue}`}
            title={paused ? "Start claiming its jobs again" : "Stop claiming its jobs; running jobs continue"}
            onClick={() => (paused ? resume : pause).mutate({ queue })}
          >
            {paused ? <Play aria-hidden className="size-3.5" /> : <Pause aria-hidden className="size-3.5" />}
          </Button>
        </li>
      ))}
      {failure && <li className="text-sm text-bad">{describeError(failure)}</li>}
    </ul>
  );
}
