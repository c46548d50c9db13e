/**
 * Shows one conversation: messages, replies, running jobs and questions to the user.
 * This folder must not know how a thread is loaded or a message is sent.
 * Invariant: a job and its reply share one place in the list; the reply replaces the job.
 */
import { useEffect, useRef } from "react";
import { Button, ErrorNotice } from "../../../ui/index.ts";
import { JobState } from "./job-state.tsx";
import type { Outgoing } from "../compose/outbox.ts";
import { Reply } from "./reply.tsx";
import type { Line } from "../threads/turns.ts";
import { Bubble, UserMessage } from "./user-message.tsx";

/** Within this distance of its end, the list keeps scrolling to new content. */
const NEAR_END_PX = 120;

interface ConversationProps {
  threadId: string;
  lines: readonly Line[];
  onResend: (message: Outgoing) => void;
  /** Sends a new version of a message. */
  onRewrite: (messageId: string, content: string) => void;
  /** Shows another version of the message after `parentId`. */
  onChooseVersion: (parentId: string | null, messageId: string) => void;
}

/** A conversation. It stays scrolled to its end while the reader is there. */
export function Conversation({ lines, ...rest }: ConversationProps) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLOListElement>(null);
  const isFollowing = useRef(true);
  useEffect(() => {
    if (content.current === null) return undefined;
    const observer = new ResizeObserver(() => {
      if (isFollowing.current && box.current) box.current.scrollTop = box.current.scrollHeight;
    });
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);
  const last = lines.at(-1);
  const sent = last?.kind === "outgoing" ? last.key : null;
  useEffect(() => {
    // A message that the user just sent always scrolls into view.
    if (sent === null || box.current === null) return;
    isFollowing.current = true;
    box.current.scrollTop = box.current.scrollHeight;
  }, [sent]);

  return (
    <div
      ref={box}
      className="min-h-0 flex-1 overflow-y-auto"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        isFollowing.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
      }}
    >
      <ol ref={content} aria-label="Conversation" className="mx-auto flex max-w-3xl flex-col gap-6 px-4 py-6 sm:px-6">
        {lines.map((line) => (
          <li key={line.key}>
            <ConversationLine line={line} {...rest} />
          </li>
        ))}
      </ol>
    </div>
  );
}

function ConversationLine({
  line,
  threadId,
  onResend,
  onRewrite,
  onChooseVersion,
}: Omit<ConversationProps, "lines"> & { line: Line }) {
  if (line.kind === "job") return <JobState jobId={line.jobId} threadId={threadId} first={line.job} />;
  if (line.kind === "message" && line.role === "assistant") return <Reply content={line.content} usage={line.usage} />;
  if (line.kind === "message") {
    const { edit } = line;
    if (!edit) return <Bubble content={line.content} muted />;
    return (
      <UserMessage
        key={edit.messageId}
        content={line.content}
        edit={edit}
        onRewrite={(content) => onRewrite(edit.messageId, content)}
        onChoose={(messageId) => onChooseVersion(edit.parentId, messageId)}
      />
    );
  }
  const { message } = line;
  return (
    <div className="flex flex-col gap-3">
      <Bubble content={message.content} muted={message.state !== "sent"} />
      {message.state === "failed" ? (
        <ErrorNotice
          action={
            <Button size="sm" onClick={() => onResend(message)}>
              Retry
            </Button>
          }
        >
          Not sent: {message.error}
        </ErrorNotice>
      ) : (
        <p role="status" className="text-right text-xs text-faint">
          {message.state === "sending" ? "Sending…" : "Sent"}
        </p>
      )}
    </div>
  );
}
