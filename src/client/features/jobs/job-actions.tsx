import { describeError } from "../../describe-error.ts";
import type { JobDetail } from "../../outputs.ts";
import { trpc } from "../../trpc.ts";
import { Button } from "../../ui/index.ts";

/** The actions that a job's state allows. */
export function JobActions({ job, onDone }: { job: JobDetail; onDone: () => void }) {
  const done = { onSuccess: onDone };
  const retry = trpc.jobs.retry.useMutation(done);
  const cancel = trpc.jobs.cancel.useMutation(done);
  const { jobId, status, hold } = job;
  const failure = retry.error ?? cancel.error;
  const canRetry = status === "failed" || status === "cancelled" || (status === "queued" && hold === "time");
  const canCancel = status === "queued" || status === "running" || status === "waiting";
  return (
    <>
      {failure && <span className="text-sm text-bad">{describeError(failure)}</span>}
      {cancel.isSuccess && status === "running" && <span className="text-sm text-faint">Stopping…</span>}
      {canRetry && (
        <Button disabled={retry.isPending} onClick={() => retry.mutate({ jobId })}>
          {status === "queued" ? "Run now" : "Retry"}
        </Button>
      )}
      {canCancel && (
        <Button disabled={cancel.isPending} onClick={() => cancel.mutate({ jobId })}>
          Cancel
        </Button>
      )}
    </>
  );
}
