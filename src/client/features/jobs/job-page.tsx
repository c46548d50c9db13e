import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { isTerminal } from "#shared/job-states";
import { describeError, isNotFound, retryUnlessNotFound } from "../../describe-error.ts";
import { formatMoment } from "../../time/age.ts";
import { Age } from "../../time/live-age.tsx";
import type { JobDetail } from "../../outputs.ts";
import { trpc } from "../../trpc.ts";
import { EmptyNotice, ErrorNotice, JsonBlock, Page, Skeleton } from "../../ui/index.ts";
import { formatCost, formatInAndOut } from "../../usage/format-usage.ts";
import { AttemptList, EventList } from "./job-history.tsx";
import { JobActions } from "./job-actions.tsx";
import { formatRetries } from "./format-retries.ts";
import { StatusBadge } from "./status-badge.tsx";

const LIVE_MS = 1_000;

/** One job: its state, its history and the operator's actions. */
export function JobPage({ jobId }: { jobId: string }) {
  const query = trpc.jobs.get.useQuery(
    { jobId },
    {
      retry: retryUnlessNotFound,
      refetchInterval: ({ state: { data, error } }) => {
        if (data === undefined && isNotFound(error)) return false;
        return data && isTerminal(data.status) ? false : LIVE_MS;
      },
    },
  );
  const job = query.data;
  if (!job) {
    return (
      <Page title="Job">
        {query.isPending && <Skeleton label="Loading the job" rows={8} />}
        {query.isError &&
          (isNotFound(query.error) ? (
            <EmptyNotice title="No such job">It may have been pruned, or the address is wrong.</EmptyNotice>
          ) : (
            <ErrorNotice>{describeError(query.error)}</ErrorNotice>
          ))}
      </Page>
    );
  }
  return (
    <Page
      title={job.jobType}
      lead={<span className="font-mono text-xs [overflow-wrap:anywhere]">{job.jobId}</span>}
      actions={<JobActions job={job} onDone={() => void query.refetch()} />}
    >
      {query.isError && <ErrorNotice>{describeError(query.error)}</ErrorNotice>}
      {job.error !== null && <ErrorNotice>{job.error}</ErrorNotice>}
      <Facts job={job} />
      <Section title="Attempts">
        <AttemptList attempts={job.attempts} />
      </Section>
      <Section title="Events">
        <EventList events={job.events} />
      </Section>
      <Section title="Payload">
        <JsonBlock label="Payload" value={job.payload} />
      </Section>
      {job.result !== null && (
        <Section title="Result">
          <JsonBlock label="Result" value={job.result} />
        </Section>
      )}
    </Page>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-2.5">
      <h2 className="text-sm font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function Facts({ job }: { job: JobDetail }) {
  const moment = (iso: string | null) =>
    iso === null ? null : (
      <>
        {formatMoment(iso)}{" "}
        <span className="text-faint">
          (<Age iso={iso} suffix=" ago" />)
        </span>
      </>
    );
  const { usage } = job;
  const facts: [string, ReactNode][] = [
    ["Status", <StatusBadge key="status" status={job.status} hold={job.hold} />],
    ["Retries", formatRetries(job)],
    ["Attempt", job.attempt],
    ["Priority", job.priority],
    ["Queue", job.queue],
    ["Worker", job.workerId],
    ["Step", job.progress?.step ?? null],
    ["Tokens", usage && formatInAndOut(usage)],
    ["Cost", usage && formatCost(usage)],
    ["Waits for", job.interrupts.length > 0 ? job.interrupts.map((one) => one.kind).join(", ") : null],
    ["Created", moment(job.createdAt)],
    ["Started", moment(job.startedAt)],
    ["Ended", moment(job.completedAt)],
    ["Runs at", job.hold === "time" ? formatMoment(job.runAt) : null],
    ["Lease until", job.leaseExpiresAt === null ? null : formatMoment(job.leaseExpiresAt)],
    [
      "Thread",
      job.threadId === null ? null : (
        <Link
          key="thread"
          to="/threads/$threadId"
          params={{ threadId: job.threadId }}
          className="text-accent underline underline-offset-2"
        >
          Open the conversation
        </Link>
      ),
    ],
  ];
  return (
    <dl className="grid gap-x-6 gap-y-2.5 rounded-xl border border-line bg-raised p-4 text-sm sm:grid-cols-2 lg:grid-cols-3">
      {facts
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <div key={name} className="flex min-w-0 gap-3">
            <dt className="w-24 shrink-0 text-faint">{name}</dt>
            <dd className="min-w-0 [overflow-wrap:anywhere]">{value}</dd>
          </div>
        ))}
    </dl>
  );
}
