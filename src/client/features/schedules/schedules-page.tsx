/**
 * The schedules page: lists, creates, pauses, runs and deletes schedules.
 * This folder must not know other features.
 * Invariant: the server decides when a schedule runs; the page only shows its times.
 */
import { useState } from "react";
import { describeError } from "../../describe-error.ts";
import { formatMoment } from "../../time/age.ts";
import type { ScheduleRow } from "../../outputs.ts";
import { trpc } from "../../trpc.ts";
import { Badge, Button, Cell, EmptyNotice, ErrorNotice, Page, Row, Skeleton, TableFrame } from "../../ui/index.ts";
import { ScheduleForm } from "./schedule-form.tsx";

const REFRESH_MS = 5_000;
const COLUMNS = {
  Name: "left",
  Cron: "left",
  "Time zone": "left",
  "Job type": "left",
  "Next run": "left",
  "Last run": "left",
  "Missed runs": "left",
  Actions: "hidden",
} as const;

/** The list of schedules with their actions, and the form for a new one. */
export function SchedulesPage() {
  const [adding, setAdding] = useState(false);
  const list = trpc.schedules.list.useQuery(undefined, { refetchInterval: REFRESH_MS });
  const rows = list.data?.schedules ?? [];
  return (
    <Page
      title="Schedules"
      lead="Jobs created at set times, exactly one for each tick."
      actions={<Button onClick={() => setAdding(!adding)}>{adding ? "Close" : "New schedule"}</Button>}
    >
      {adding && (
        <ScheduleForm
          onSaved={() => {
            setAdding(false);
            void list.refetch();
          }}
        />
      )}
      {list.isError && <ErrorNotice>{describeError(list.error)} Still trying.</ErrorNotice>}
      {list.isPending && !list.isError && <Skeleton label="Loading schedules" />}
      {list.data && rows.length === 0 && !adding && (
        <EmptyNotice title="No schedules">Create one to enqueue jobs at set times.</EmptyNotice>
      )}
      {rows.length > 0 && (
        <TableFrame label="Schedules" columns={COLUMNS}>
          {rows.map((schedule) => (
            <ScheduleLine key={schedule.scheduleId} schedule={schedule} onDone={() => void list.refetch()} />
          ))}
        </TableFrame>
      )}
    </Page>
  );
}

function ScheduleLine({ schedule, onDone }: { schedule: ScheduleRow; onDone: () => void }) {
  const done = { onSuccess: onDone };
  const pause = trpc.schedules.pause.useMutation(done);
  const resume = trpc.schedules.resume.useMutation(done);
  const runNow = trpc.schedules.runNow.useMutation(done);
  const remove = trpc.schedules.delete.useMutation(done);
  const failure = pause.error ?? resume.error ?? runNow.error ?? remove.error;
  const { scheduleId, paused } = schedule;
  return (
    <Row>
      <Cell className="font-medium whitespace-nowrap">{schedule.name}</Cell>
      <Cell className="font-mono text-xs whitespace-nowrap">{schedule.cron}</Cell>
      <Cell>{schedule.timeZone}</Cell>
      <Cell>{schedule.jobType}</Cell>
      <Cell className="whitespace-nowrap">
        {paused ? (
          <Badge tone="warn">paused</Badge>
        ) : schedule.nextRunAt === null ? (
          "never"
        ) : (
          formatMoment(schedule.nextRunAt)
        )}
      </Cell>
      <Cell className="whitespace-nowrap">{schedule.lastRunAt === null ? "–" : formatMoment(schedule.lastRunAt)}</Cell>
      <Cell>{schedule.missedRuns === "skip" ? "skip" : "run once"}</Cell>
      <Cell>
        <div className="flex justify-end gap-1.5">
          {failure && <span className="text-xs text-bad">{describeError(failure)}</span>}
          <Button size="sm" onClick={() => runNow.mutate({ scheduleId })}>
            {runNow.isSuccess ? "Enqueued" : "Run now"}
          </Button>
          <Button size="sm" onClick={() => (paused ? resume : pause).mutate({ scheduleId })}>
            {paused ? "Resume" : "Pause"}
          </Button>
          <Button size="sm" variant="ghost" onClick={() => remove.mutate({ scheduleId })}>
            Delete
          </Button>
        </div>
      </Cell>
    </Row>
  );
}
