import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { LoaderCircle } from "lucide-react";
import { useEffect, useReducer, useRef } from "react";
import { isTerminal } from "#shared/job-states";
import { describeError } from "../../../describe-error.ts";
import type { JobStatusView } from "../../../outputs.ts";
import { trpc } from "../../../trpc.ts";
import { Button, ErrorNotice } from "../../../ui/index.ts";
import { InterruptCard } from "./interrupt-card.tsx";
import { NOTHING_YET, readPartial } from "./partial-reply.ts";
import { pollDelayMs } from "./poll-delay.ts";
import { Reply } from "./reply.tsx";

/** Shows a turn's job until it ends, then its reply or error. Polls the status. */
export function JobState({ jobId, threadId, first }: { jobId: string; threadId: string; first: JobStatusView | null }) {
  const cache = trpc.useUtils();
  const queries = useQueryClient();
  const watchedSince = useRef<number>(undefined);
  const status = trpc.jobs.status.useQuery(
    { jobId },
    {
      ...(first !== null && { placeholderData: first }),
      refetchInterval: (query) => {
        watchedSince.current ??= Date.now();
        return pollDelayMs(query.state.data, Date.now() - watchedSince.current);
      },
      refetchOnWindowFocus: (query) => query.state.data === undefined || !isTerminal(query.state.data.status),
    },
  );
  const job = status.data;
  const ended = job !== undefined && !status.isPlaceholderData && isTerminal(job.status);
  useEffect(() => {
    if (ended) void Promise.all([cache.threads.get.invalidate({ threadId }), cache.threads.list.invalidate()]);
  }, [ended, cache, threadId]);
  const retry = trpc.jobs.retry.useMutation({
    onSuccess: async () => {
      watchedSince.current = Date.now();
      await queries.invalidateQueries();
    },
  });

  if (job?.status === "completed") return <Reply content={job.reply ?? ""} usage={job.usage} />;
  if (job?.status === "failed" || job?.status === "cancelled") {
    return (
      <ErrorNotice
        action={
          <span className="flex items-center gap-2">
            <DetailsLink jobId={jobId} />
            <Button size="sm" disabled={retry.isPending} onClick={() => retry.mutate({ jobId })}>
              Try again
            </Button>
          </span>
        }
      >
        {job.status === "cancelled" ? "Stopped before there was a reply." : (job.error ?? "The job failed.")}
        {retry.error && <p>{describeError(retry.error)}</p>}
      </ErrorNotice>
    );
  }
  if (job?.status === "waiting" && job.interrupts.length > 0) {
    return <Questions jobId={jobId} interrupts={job.interrupts} />;
  }
  return (
    <UnfinishedJob
      jobId={jobId}
      job={job}
      pollError={status.isError ? describeError(status.error) : null}
      onEnd={() => void status.refetch()}
    />
  );
}

function Questions({ jobId, interrupts }: { jobId: string; interrupts: JobStatusView["interrupts"] }) {
  return (
    <div className="flex flex-col gap-3">
      {interrupts.map((interrupt) => (
        <InterruptCard key={interrupt.id} jobId={jobId} interrupt={interrupt} />
      ))}
      <p role="status" className="flex flex-wrap items-center gap-3 text-xs text-faint">
        Waiting for you <DetailsLink jobId={jobId} />
      </p>
    </div>
  );
}

interface UnfinishedJobProps {
  jobId: string;
  job: JobStatusView | undefined;
  /** The error of the last status poll; null when it succeeded. */
  pollError: string | null;
  /** Called when the event log reports that the job has ended or waits for a person. */
  onEnd: () => void;
}

/** The partial reply of a job, its current step and a stop button. */
function UnfinishedJob({ jobId, job, pollError, onEnd }: UnfinishedJobProps) {
  const queries = useQueryClient();
  const cancel = trpc.jobs.cancel.useMutation({ onSuccess: async () => queries.invalidateQueries() });
  const [partial, read] = useReducer(readPartial, NOTHING_YET);
  trpc.jobs.events.useSubscription(
    { jobId },
    {
      onData: ({ data: event }) => {
        read(event);
        if (["completed", "failed", "cancelled", "waiting"].includes(event.type)) onEnd();
      },
    },
  );
  return (
    <div className="flex flex-col gap-4">
      {partial.text !== "" && <Reply content={partial.text} usage={null} />}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-faint">
        <LoaderCircle aria-hidden className="size-4 animate-spin" />
        <span role="status">
          {pollError === null ? describeProgress(job, partial.step) : `${pollError} Still trying.`}
        </span>
        <DetailsLink jobId={jobId} />
        <Button variant="ghost" size="sm" disabled={cancel.isPending} onClick={() => cancel.mutate({ jobId })}>
          {cancel.isSuccess ? "Stopping…" : "Stop"}
        </Button>
      </div>
    </div>
  );
}

function DetailsLink({ jobId }: { jobId: string }) {
  return (
    <Link to="/jobs/$jobId" params={{ jobId }} className="text-xs underline underline-offset-2">
      Details
    </Link>
  );
}

/** Describes the state of an unfinished job. */
function describeProgress(job: JobStatusView | undefined, step: string | null): string {
  if (job === undefined) return "Loading the status…";
  if (job.status === "running") return stepName(step ?? job.progress?.step);
  if (job.retryCount > 0) return `Retry ${job.retryCount} of ${job.maxRetries} after: ${job.error ?? "an error"}`;
  return job.crashCount > 0 ? "Queued again after a crash…" : "Queued, waiting for a worker…";
}

const STEPS: Record<string, string> = {
  intake: "Reading your request…",
  plan: "Designing the system…",
  compose: "Writing the reply…",
};

function stepName(step: string | undefined): string {
  return step === undefined ? "Running…" : (STEPS[step] ?? `Running: ${step}…`);
}
