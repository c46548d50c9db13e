import { useState } from "react";
import type { ReactNode } from "react";
import { EXPORT_JOB_TYPE } from "#shared/job-types";
import { describeError } from "../../describe-error.ts";
import { trpc } from "../../trpc.ts";
import { Button, ErrorNotice } from "../../ui/index.ts";

const INPUT = "h-9 w-full rounded-lg border border-line bg-canvas px-2.5 text-sm outline-none focus:border-accent";

/** Creates a schedule, or replaces the schedule of the same name. */
// oxlint-disable-next-line max-lines-per-function -- one form, field by field
export function ScheduleForm({ onSaved }: { onSaved: () => void }) {
  const [badPayload, setBadPayload] = useState(false);
  const save = trpc.schedules.save.useMutation({ onSuccess: onSaved });
  const submit = (form: FormData) => {
    const field = (name: string) => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    const payload = parse(field("payload"));
    setBadPayload(payload === undefined);
    if (payload === undefined) return;
    save.mutate({
      name: field("name"),
      cron: field("cron"),
      timeZone: field("timeZone"),
      jobType: field("jobType"),
      missedRuns: field("missedRuns") === "run_once" ? "run_once" : "skip",
      payload: payload.value,
    });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit(new FormData(event.currentTarget));
      }}
      aria-label="New schedule"
      className="grid gap-3 rounded-xl border border-line bg-raised p-4 sm:grid-cols-2"
    >
      <Field label="Name">
        <input name="name" required maxLength={100} className={INPUT} />
      </Field>
      <Field label="Cron (minute hour day month weekday)">
        <input name="cron" required defaultValue="0 6 * * *" className={`${INPUT} font-mono`} />
      </Field>
      <Field label="Time zone">
        <input
          name="timeZone"
          required
          defaultValue={new Intl.DateTimeFormat().resolvedOptions().timeZone}
          className={INPUT}
        />
      </Field>
      <Field label="Job type">
        <input name="jobType" required defaultValue={EXPORT_JOB_TYPE} className={`${INPUT} font-mono`} />
      </Field>
      <Field label="Payload (JSON)">
        <textarea name="payload" rows={3} defaultValue="{}" className={`${INPUT} h-auto py-2 font-mono`} />
      </Field>
      <Field label="Runs missed while no worker was running">
        <select name="missedRuns" className={INPUT}>
          <option value="skip">Skip them</option>
          <option value="run_once">Run once for all of them</option>
        </select>
      </Field>
      <div className="flex flex-wrap items-center gap-3 sm:col-span-2">
        <Button type="submit" variant="primary" disabled={save.isPending}>
          Save
        </Button>
        {badPayload && <ErrorNotice>The payload must be JSON.</ErrorNotice>}
        {save.error && <ErrorNotice>{describeError(save.error)}</ErrorNotice>}
      </div>
    </form>
  );
}

function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    <label className="flex flex-col gap-1 text-xs text-faint">
      {label}
      <span className="text-ink">{children}</span>
    </label>
  );
}

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
