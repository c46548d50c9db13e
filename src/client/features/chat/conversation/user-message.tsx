import { ChevronLeft, ChevronRight, Pencil } from "lucide-react";
import { useState } from "react";
import { MAX_CONTENT_CHARS } from "#shared/limits";
import { Button } from "../../../ui/index.ts";
import type { Editable } from "../threads/turns.ts";

interface UserMessageProps {
  content: string;
  edit: Editable;
  onRewrite: (content: string) => void;
  onChoose: (messageId: string) => void;
}

/** A user's message, with its edit button and its other versions. */
export function UserMessage({ content, edit, onRewrite, onChoose }: UserMessageProps) {
  const [draft, setDraft] = useState<string | null>(null);
  if (draft !== null) {
    return (
      <Editor
        draft={draft}
        onChange={setDraft}
        onCancel={() => setDraft(null)}
        onSend={() => {
          setDraft(null);
          onRewrite(draft);
        }}
      />
    );
  }
  return (
    <div className="group/message flex flex-col items-end gap-1">
      <Bubble content={content} muted={false} />
      <div className="flex items-center gap-1 text-xs text-faint">
        <Button
          variant="ghost"
          size="icon-sm"
          aria-label="Edit"
          title="Edit: sends a new version and keeps this one"
          className="opacity-0 transition-opacity group-focus-within/message:opacity-100 group-hover/message:opacity-100 pointer-coarse:opacity-100"
          onClick={() => setDraft(content)}
        >
          <Pencil aria-hidden className="size-3.5" />
        </Button>
        {edit.versions.length > 1 && <Versions edit={edit} onChoose={onChoose} />}
      </div>
    </div>
  );
}

function Versions({ edit: { messageId, versions }, onChoose }: Pick<UserMessageProps, "edit" | "onChoose">) {
  const index = versions.indexOf(messageId);
  const arrow = (by: number, label: string, Icon: typeof ChevronLeft) => {
    const other = versions[index + by];
    return (
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={label}
        disabled={other === undefined}
        onClick={() => other !== undefined && onChoose(other)}
      >
        <Icon aria-hidden className="size-3.5" />
      </Button>
    );
  };
  return (
    <span role="group" aria-label="Versions" className="flex items-center">
      {arrow(-1, "Older version", ChevronLeft)}
      <span className="tabular-nums">
        {index + 1}/{versions.length}
      </span>
      {arrow(1, "Newer version", ChevronRight)}
    </span>
  );
}

interface EditorProps {
  draft: string;
  onChange: (draft: string) => void;
  onCancel: () => void;
  onSend: () => void;
}

function Editor({ draft, onChange, onCancel, onSend }: EditorProps) {
  const isSendable = draft.trim() !== "" && draft.length <= MAX_CONTENT_CHARS;
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (isSendable) onSend();
      }}
    >
      <textarea
        aria-label="New version"
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- the user just opened the editor
        autoFocus
        rows={2}
        value={draft}
        className="field-sizing-content max-h-[40dvh] w-full resize-none rounded-xl border border-line-strong bg-raised px-4 py-2.5 text-[0.95rem] leading-relaxed outline-none focus:border-accent"
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && onCancel()}
      />
      <div className="flex justify-end gap-2">
        <Button size="sm" onClick={onCancel}>
          Cancel
        </Button>
        <Button size="sm" variant="primary" type="submit" disabled={!isSendable}>
          Send as a new version
        </Button>
      </div>
    </form>
  );
}

export function Bubble({ content, muted }: { content: string; muted: boolean }) {
  return (
    <div className="flex w-full justify-end">
      <p
        className={`max-w-[85%] rounded-2xl rounded-br-md bg-hover px-4 py-2.5 text-[0.95rem] leading-relaxed whitespace-pre-wrap [overflow-wrap:anywhere] ${muted ? "opacity-70" : ""}`}
      >
        {content}
      </p>
    </div>
  );
}
