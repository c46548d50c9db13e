import { Link } from "@tanstack/react-router";
import type { JobRow } from "#shared/contracts";
import { Age } from "../../time/live-age.tsx";
import { Cell, HeadCell, Row, TableFrame } from "../../ui/table.tsx";
import { StatusBadge } from "./status-badge.tsx";

/** Jobs, one a row; a row's id leads to the job. */
export function JobsTable({ rows, onType }: { rows: readonly JobRow[]; onType: (jobType: string) => void }) {
  return (
    <TableFrame label="Jobs">
      <thead>
        <tr>
          <HeadCell>Job</HeadCell>
          <HeadCell>Status</HeadCell>
          <HeadCell>Type</HeadCell>
          <HeadCell className="text-right">Priority</HeadCell>
          <HeadCell className="text-right">Retries</HeadCell>
          <HeadCell>Worker</HeadCell>
          <HeadCell className="text-right">Age</HeadCell>
          <HeadCell className="w-full">Error</HeadCell>
        </tr>
      </thead>
      <tbody>
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
            <Cell className="text-right tabular-nums" title={`${job.retryCount} of ${job.maxRetries} retries used`}>
              {job.retryCount}/{job.maxRetries}
            </Cell>
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
      </tbody>
    </TableFrame>
  );
}
