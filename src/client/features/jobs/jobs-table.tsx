import { Link } from "@tanstack/react-router";
import type { JobRow } from "#shared/contracts";
import { Age } from "../../time/live-age.tsx";
import { Cell, Row, TableFrame } from "../../ui/index.ts";
import { formatCost, formatInAndOut } from "../../usage/format-usage.ts";
import { describeRetries, formatRetries } from "./format-retries.ts";
import { StatusBadge } from "./status-badge.tsx";

const COLUMNS = {
  Job: "left",
  Status: "left",
  Type: "left",
  Priority: "right",
  Retries: "right",
  Tokens: "right",
  Cost: "right",
  Worker: "left",
  Age: "right",
  Error: "wide",
} as const;

/** Jobs, one per row. The id links to the job. */
export function JobsTable({ rows, onType }: { rows: readonly JobRow[]; onType: (jobType: string) => void }) {
  return (
    <TableFrame label="Jobs" columns={COLUMNS}>
      {rows.map((job) => (
        <Row key={job.jobId}>
          <Cell className="font-mono text-xs whitespace-nowrap">
            <Link
              to="/jobs/$jobId"
              params={{ jobId: job.jobId }}
              title={job.jobId}
              className="text-accent hover:underline"
            >
              …{job.jobId.slice(-8)}
            </Link>
          </Cell>
          <Cell>
            <StatusBadge status={job.status} hold={job.hold} />
          </Cell>
          <Cell>
            <button
              type="button"
              title={`Only ${job.jobType}`}
              className="whitespace-nowrap hover:underline"
              onClick={() => onType(job.jobType)}
            >
              {job.jobType}
            </button>
          </Cell>
          <Cell className="text-right tabular-nums">{job.priority}</Cell>
          <Cell className="text-right whitespace-nowrap tabular-nums" title={describeRetries(job)}>
            {formatRetries(job)}
          </Cell>
          <UsageCells usage={job.usage} />
          <Cell className="max-w-40 truncate font-mono text-xs text-soft" title={job.workerId ?? undefined}>
            {job.workerId ?? "–"}
          </Cell>
          <Cell className="text-right whitespace-nowrap text-soft">
            <Age iso={job.createdAt} />
          </Cell>
          <Cell className="max-w-96 truncate text-bad" title={job.error ?? undefined}>
            {job.error}
          </Cell>
        </Row>
      ))}
    </TableFrame>
  );
}

function UsageCells({ usage }: Pick<JobRow, "usage">) {
  return (
    <>
      <Cell className="text-right whitespace-nowrap tabular-nums" title={usage ? formatInAndOut(usage) : undefined}>
        {usage ? (usage.inputTokens + usage.outputTokens).toLocaleString() : "–"}
      </Cell>
      <Cell className="text-right whitespace-nowrap tabular-nums">{(usage && formatCost(usage)) ?? "–"}</Cell>
    </>
  );
}
