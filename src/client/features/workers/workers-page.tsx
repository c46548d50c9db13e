import type { WorkerRow } from "#shared/contracts";
import { describeError } from "../../describe-error.ts";
import { Age } from "../../time/live-age.tsx";
import { trpc } from "../../trpc.ts";
import { Badge, Cell, EmptyNotice, ErrorNotice, Page, Row, Skeleton, TableFrame } from "../../ui/index.ts";

const REFRESH_MS = 3_000;
const COLUMNS = {
  Worker: "left",
  State: "left",
  Running: "right",
  Runs: "left",
  Host: "left",
  Process: "right",
  "Up for": "right",
  Heartbeat: "right",
  Version: "left",
} as const;

/** The worker processes: live, draining, stopped and lost ones. */
export function WorkersPage() {
  const list = trpc.workers.list.useQuery(undefined, { refetchInterval: REFRESH_MS });
  const rows = list.data?.workers ?? [];
  return (
    <Page title="Workers" lead="The processes that run the jobs, newest heartbeat first.">
      {list.isError && <ErrorNotice>{describeError(list.error)} Still trying.</ErrorNotice>}
      {list.isPending && !list.isError && <Skeleton label="Loading workers" />}
      {list.data && rows.length === 0 && (
        <EmptyNotice title="No workers">Start one with npm run worker; jobs wait until then.</EmptyNotice>
      )}
      {rows.length > 0 && (
        <TableFrame label="Workers" columns={COLUMNS}>
          {rows.map((worker) => (
            <Row key={worker.workerId}>
              <Cell className="font-mono text-xs">{worker.workerId}</Cell>
              <Cell>
                <WorkerState worker={worker} />
              </Cell>
              <Cell className="text-right tabular-nums">
                {worker.running}/{worker.concurrency}
              </Cell>
              <Cell className="max-w-56 truncate" title={worker.jobTypes.join(", ")}>
                {worker.jobTypes.join(", ")}
              </Cell>
              <Cell>{worker.host}</Cell>
              <Cell className="text-right tabular-nums">{worker.pid}</Cell>
              <Cell className="text-right">
                <Age iso={worker.startedAt} />
              </Cell>
              <Cell className="text-right whitespace-nowrap">
                <Age iso={worker.heartbeatAt} suffix=" ago" />
              </Cell>
              <Cell>{worker.version}</Cell>
            </Row>
          ))}
        </TableFrame>
      )}
    </Page>
  );
}

function WorkerState({ worker }: { worker: WorkerRow }) {
  if (worker.state === "stopped") return <Badge>stopped</Badge>;
  if (!worker.alive) return <Badge tone="bad">lost</Badge>;
  return worker.state === "draining" ? <Badge tone="warn">draining</Badge> : <Badge tone="good">active</Badge>;
}
