import { useQueryClient } from "@tanstack/react-query";
import { MessageCircleQuestion } from "lucide-react";
import { useMemo, useState } from "react";
import { describeError } from "../../../describe-error.ts";
import type { JobStatusView } from "../../../outputs.ts";
import { formatMoment } from "../../../time/age.ts";
import { trpc } from "../../../trpc.ts";
import { Button } from "../../../ui/index.ts";
import { readFields, readQuestion, toAnswer } from "./answer-fields.ts";
import type { Field } from "./answer-fields.ts";

type Interrupt = JobStatusView["interrupts"][number];

/** A question of the graph, with a form for the answer. */
export function InterruptCard({ jobId, interrupt }: { jobId: string; interrupt: Interrupt }) {
  const queries = useQueryClient();
  const answer = trpc.chat.answer.useMutation({ onSettled: async () => queries.invalidateQueries() });
  const fields = useMemo(() => readFields(interrupt.schema), [interrupt.schema]);
  const [entries, setEntries] = useState<Record<string, string>>({});
  const [fault, setFault] = useState<string | null>(null);
  const send = (filled: Record<string, string>) => {
    try {
      setFault(null);
      answer.mutate({ jobId, interruptId: interrupt.id, answers: toAnswer(fields, filled) });
    } catch {
      setFault("This is not valid JSON. Put text in quotes.");
    }
  };
  const choice = findChoice(fields);
  const withValue = (field: Field, value: string) => ({ ...entries, [field.name]: value });
  return (
    <form
      aria-label="Question"
      className="flex flex-col gap-3 rounded-xl border border-accent/50 bg-raised p-4 text-sm"
      onSubmit={(event) => {
        event.preventDefault();
        send(entries);
      }}
    >
      <p className="flex gap-2.5 whitespace-pre-wrap [overflow-wrap:anywhere]">
        <MessageCircleQuestion aria-hidden className="mt-0.5 size-4 shrink-0 text-accent" />
        {readQuestion(interrupt.value)}
      </p>
      {fields.map(
        (field) =>
          field !== choice && (
            <FieldInput
              key={field.name}
              field={field}
              value={entries[field.name] ?? ""}
              onChange={(value) => setEntries(withValue(field, value))}
            />
          ),
      )}
      <div className="flex flex-wrap items-center gap-2">
        {choice ? (
          <Choices field={choice} disabled={answer.isPending} onChoose={(value) => send(withValue(choice, value))} />
        ) : (
          <Button type="submit" variant="primary" size="sm" disabled={answer.isPending}>
            Answer
          </Button>
        )}
        {interrupt.deadlineAt !== null && (
          <span className="text-xs text-faint">until {formatMoment(interrupt.deadlineAt)}</span>
        )}
      </div>
      {(fault ?? answer.error) && (
        <p role="alert" className="text-bad">
          {fault ?? describeError(answer.error)}
        </p>
      )}
    </form>
  );
}

/** The only field with a fixed choice, if it is required: one button per choice, and a click sends the whole form. */
function findChoice(fields: readonly Field[]): Field | undefined {
  const buttons = fields.filter((field) => field.kind === "boolean" || field.kind === "choice");
  return buttons.length === 1 && buttons[0]?.required === true ? buttons[0] : undefined;
}

interface ChoicesProps {
  field: Field;
  disabled: boolean;
  onChoose: (value: string) => void;
}

function Choices({ field, disabled, onChoose }: ChoicesProps) {
  const approval = field.name === "approved" || field.name === "approve";
  const choices =
    field.kind === "choice"
      ? field.options.map((option) => [option, option] as const)
      : ([
          ["true", approval ? "Approve" : "Yes"],
          ["false", approval ? "Decline" : "No"],
        ] as const);
  return choices.map(([value, label], index) => (
    <Button
      key={value}
      size="sm"
      variant={index === 0 && field.kind === "boolean" ? "primary" : "secondary"}
      disabled={disabled}
      onClick={() => onChoose(value)}
    >
      {label}
    </Button>
  ));
}

const INPUT = "w-full rounded-lg border border-line-strong bg-canvas px-3 py-2 outline-none focus:border-accent";

function FieldInput({ field, value, onChange }: { field: Field; value: string; onChange: (value: string) => void }) {
  const label = field.label === "" ? "Answer" : field.label;
  const shared = { value, required: field.required, className: INPUT };
  return (
    <label className="flex flex-col gap-1">
      <span className="text-xs text-faint">
        {label}
        {!field.required && " (optional)"}
      </span>
      {field.kind === "number" && (
        <input {...shared} type="number" step="any" onChange={(event) => onChange(event.target.value)} />
      )}
      {(field.kind === "choice" || field.kind === "boolean") && (
        <select {...shared} onChange={(event) => onChange(event.target.value)}>
          <option value="">Choose…</option>
          {(field.kind === "boolean" ? ["true", "false"] : field.options).map((option) => (
            <option key={option} value={option}>
              {field.kind === "boolean" ? (option === "true" ? "Yes" : "No") : option}
            </option>
          ))}
        </select>
      )}
      {(field.kind === "text" || field.kind === "json") && (
        <textarea
          {...shared}
          rows={field.kind === "json" ? 3 : 1}
          className={`${INPUT} field-sizing-content resize-none ${field.kind === "json" ? "font-mono text-xs" : ""}`}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </label>
  );
}
