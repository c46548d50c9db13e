import { ArrowUp } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { KeyboardEvent, ReactNode } from "react";
import { MAX_CONTENT_CHARS } from "#shared/limits";
import { Button } from "../../../ui/index.ts";

/** Asks for the facts that the built-in graph needs. */
export const PLACEHOLDER = "Describe the system you need: the task, the data, how fast, for how much";

/** Above this length the character count is shown. */
const NEAR_LIMIT = MAX_CONTENT_CHARS - 2_000;
const drafts = new Map<string, string>();

interface ComposerProps {
  draftKey: string;
  onSend: (content: string) => void;
  placeholder: string;
  /** Controls beside the send button. */
  options?: ReactNode;
}

/** The message box. Unsent text stays with its thread. */
export function Composer({ draftKey, onSend, placeholder, options }: ComposerProps) {
  const [content, setContent] = useState(() => drafts.get(draftKey) ?? "");
  const box = useRef<HTMLTextAreaElement>(null);
  const overBy = content.length - MAX_CONTENT_CHARS;
  const isSendable = content.trim().length > 0 && overBy <= 0;
  useEffect(() => box.current?.focus({ preventScroll: true }), []);

  const change = (next: string) => {
    setContent(next);
    drafts.set(draftKey, next);
  };
  const send = () => {
    if (!isSendable) return;
    onSend(content);
    drafts.delete(draftKey);
    setContent("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes a character, Enter confirms the character.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      className="rounded-2xl border border-line-strong bg-raised p-2 shadow-sm focus-within:border-accent"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={box}
        aria-label="Message"
        aria-invalid={overBy > 0}
        rows={1}
        value={content}
        placeholder={placeholder}
        className="field-sizing-content max-h-[40dvh] min-h-11 w-full resize-none bg-transparent px-2.5 py-2 text-[0.95rem] leading-relaxed outline-none placeholder:text-faint"
        onChange={(event) => change(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="flex items-center justify-between gap-3 pl-2.5">
        <p className="text-xs text-faint" role={content.length > NEAR_LIMIT ? "status" : undefined}>
          {content.length > NEAR_LIMIT ? (
            <span className={overBy > 0 ? "text-bad" : undefined}>
              {content.length.toLocaleString()} of {MAX_CONTENT_CHARS.toLocaleString()} characters
            </span>
          ) : (
            <span className="hidden sm:inline">Enter to send, Shift+Enter for a new line</span>
          )}
        </p>
        <span className="ml-auto min-w-0">{options}</span>
        <Button type="submit" variant="primary" size="icon" aria-label="Send" title="Send" disabled={!isSendable}>
          <ArrowUp aria-hidden className="size-4" />
        </Button>
      </div>
    </form>
  );
}

/** The bar below the conversation that holds the message box. */
export function ComposerBar({ children }: { children: ReactNode }) {
  return <div className="mx-auto mt-auto w-full max-w-3xl shrink-0 px-3 pb-3 sm:px-6 sm:pb-5">{children}</div>;
}
