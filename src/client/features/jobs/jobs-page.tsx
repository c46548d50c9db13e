/**
 * The operator's pages for jobs and queues: the live list here, one job in `job-page.tsx`.
 * This folder must not know other features.
 * Invariant: the address holds the filter, so a reload shows the same list.
 */
import { keepPreviousData } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useEffect, useState } from "react";
import type { JobCounts } from "#shared/contracts";
import { JOB_STATUSES } from "#shared/job-states";
import type { JobStatus } from "#shared/job-states";
import { describeError } from "../../describe-error.ts";
import { trpc } from "../../trpc.ts";
import { Button, EmptyNotice, ErrorNotice, Page, Skeleton, classNames } from "../../ui/index.ts";
import { JobsTable } from "./jobs-table.tsx";
import { QueuesBar } from "./queues-bar.tsx";
import { refreshMs } from "./refresh.ts";

export interface JobsFilter {
  status?: JobStatus | undefined;
  search?: string | undefined;
  type?: string | undefined;
}

interface FilterProps {
  filter: JobsFilter;
  onFilter: (filter: JobsFilter) => void;
}

const PAGE_ROWS = 50;
const TYPING_MS = 250;

/** The live table of jobs. */
export function JobsPage({ filter, onFilter }: FilterProps) {
  const counts = trpc.jobs.counts.useQuery(undefined, { refetchInterval: (query) => refreshMs(query.state.data) });
  const list = trpc.jobs.list.useInfiniteQuery(
    { limit: PAGE_ROWS, status: filter.status, search: filter.search, jobType: filter.type },
    {
      getNextPageParam: (page) => page.nextCursor,
      refetchInterval: refreshMs(counts.data),
      placeholderData: keepPreviousData,
    },
  );
  const rows = list.data?.pages.flatMap((page) => page.jobs) ?? [];
  const failure = list.error ?? counts.error;
  const isFiltered = [filter.status, filter.search, filter.type].some(Boolean);
  return (
    <Page title="Jobs" lead="Newest first, live." actions={<SearchBox filter={filter} onFilter={onFilter} />}>
      <QueuesBar />
      <StatusChips counts={counts.data} filter={filter} onFilter={onFilter} />
      {filter.type !== undefined && (
        <p className="text-sm text-soft">
          Only job type <code className="font-mono">{filter.type}</code>{" "}
          <Button size="sm" variant="ghost" onClick={() => onFilter({ ...filter, type: undefined })}>
            Show all types
          </Button>
        </p>
      )}
      {failure && <ErrorNotice>{describeError(failure)} Still trying.</ErrorNotice>}
      {list.isPending && !failure && <Skeleton label="Loading jobs" rows={8} />}
      {list.data && rows.length === 0 && (
        <EmptyNotice title={isFiltered ? "No job matches" : "No jobs yet"}>
          {isFiltered ? "Change the filter." : "Every chat message becomes one."}
        </EmptyNotice>
      )}
      {rows.length > 0 && <JobsTable rows={rows} onType={(type) => onFilter({ ...filter, type })} />}
      {list.hasNextPage && (
        <div className="text-center">
          <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {list.isFetchingNextPage ? "Loading…" : "Show older jobs"}
          </Button>
        </div>
      )}
    </Page>
  );
}

function StatusChips({ counts, filter, onFilter }: FilterProps & { counts: JobCounts | undefined }) {
  const total = counts && JOB_STATUSES.reduce((sum, status) => sum + counts[status], 0);
  const chips = [
    { status: undefined, count: total },
    ...JOB_STATUSES.map((status) => ({ status, count: counts?.[status] })),
  ];
  return (
    <div role="group" aria-label="Filter by status" className="flex flex-wrap gap-1.5">
      {chips.map(({ status, count }) => (
        <button
          key={status ?? "all"}
          type="button"
          aria-pressed={filter.status === status}
          onClick={() => onFilter({ ...filter, status })}
          className={classNames(
            "rounded-full border border-line px-3 py-1 text-sm transition-colors hover:bg-hover",
            filter.status === status ? "border-accent bg-hover font-medium text-ink" : "text-soft",
          )}
        >
          {status ?? "all"} <span className="text-faint tabular-nums">{count?.toLocaleString() ?? "–"}</span>
        </button>
      ))}
    </div>
  );
}

function SearchBox({ filter, onFilter }: FilterProps) {
  const [text, setText] = useState(filter.search ?? "");
  useEffect(() => {
    const search = text.trim() === "" ? undefined : text.trim();
    if (search === filter.search) return undefined;
    const timer = setTimeout(() => onFilter({ ...filter, search }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, filter, onFilter]);
  return (
    <label className="flex h-9 w-64 max-w-full items-center gap-2 rounded-lg border border-line bg-raised px-3 text-sm focus-within:border-accent">
      <Search aria-hidden className="size-4 shrink-0 text-faint" />
      <input
        type="search"
        aria-label="Search jobs"
        placeholder="Id, error, payload…"
        maxLength={200}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className="w-full bg-transparent outline-none placeholder:text-faint"
      />
    </label>
  );
}
