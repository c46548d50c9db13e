import { useEffect, useMemo, useState } from "react";
import type { MultitaskStrategy } from "#shared/contracts";
import { describeError, isNotFound } from "../../../describe-error.ts";
import type { Thread } from "../../../outputs.ts";
import { Button, EmptyNotice, ErrorNotice, Select, Skeleton } from "../../../ui/index.ts";
import { parentToName, readPath } from "./branches.ts";
import type { Chosen } from "./branches.ts";
import { Composer, ComposerBar, PLACEHOLDER } from "../compose/composer.tsx";
import { Conversation } from "../conversation/conversation.tsx";
import { removeOutgoing, useOutbox } from "../compose/outbox.ts";
import type { Outgoing } from "../compose/outbox.ts";
import { shownJobs, toLines } from "./turns.ts";
import { useSend } from "../compose/use-send.ts";
import { useThread } from "./use-thread.ts";

/** The chosen branch of a conversation, with the box for the next message. */
export function ThreadView({ threadId }: { threadId: string }) {
  const { send, resend } = useSend();
  const outgoing = useOutbox();
  const outbox = useMemo(() => outgoing.filter((message) => message.threadId === threadId), [outgoing, threadId]);
  const [chosen, setChosen] = useState<Chosen>({});
  // The server creates the thread with its first message.
  const isUncreated = outbox.some(({ startsThread }) => startsThread) && outbox.every(({ jobId }) => jobId === null);
  const { query: thread, data } = useThread(threadId, !isUncreated);
  useRemoveShown(outbox, data);
  const lines = useMemo(() => toLines(data, outbox, chosen), [data, outbox, chosen]);
  const isBusy = data?.jobs.some((job) => ["queued", "running", "waiting"].includes(job.status)) ?? false;

  const write = (content: string, strategy: MultitaskStrategy) => {
    const messages = data?.messages ?? [];
    const parentId = parentToName(messages, readPath(messages, chosen));
    send({ threadId, content, parentId, strategy: isBusy ? strategy : null });
  };
  const rewrite = (messageId: string, content: string) => {
    // Shows the newest branch, which the new version starts.
    setChosen({});
    send({ threadId, content, parentId: messageId, strategy: isBusy ? "interrupt" : null });
  };
  const choose = (parentId: string | null, messageId: string) =>
    setChosen((before) => ({ ...before, [parentId ?? ""]: messageId }));

  if (data === undefined && outbox.length === 0) {
    if (thread.isPending) return <Skeleton label="Loading the conversation" rows={6} />;
    if (isNotFound(thread.error)) {
      return (
        <div className="min-h-0 flex-1">
          <EmptyNotice title="No such conversation">It may have been deleted, or the address is wrong.</EmptyNotice>
        </div>
      );
    }
  }
  return (
    <>
      {thread.isError && !isNotFound(thread.error) && (
        <div className="mx-auto w-full max-w-3xl px-4 pt-4">
          <ErrorNotice
            action={
              <Button size="sm" onClick={() => void thread.refetch()}>
                Try again
              </Button>
            }
          >
            {describeError(thread.error)}
          </ErrorNotice>
        </div>
      )}
      {thread.hasNextPage && (
        <ShowOlder isLoading={thread.isFetchingNextPage} onShow={() => void thread.fetchNextPage()} />
      )}
      <Conversation threadId={threadId} lines={lines} onResend={resend} onRewrite={rewrite} onChooseVersion={choose} />
      <ThreadComposer threadId={threadId} isBusy={isBusy} graph={data?.graph ?? null} onSend={write} />
    </>
  );
}

/** The button that loads older messages. */
function ShowOlder({ isLoading, onShow }: { isLoading: boolean; onShow: () => void }) {
  return (
    <div className="flex justify-center border-b border-line py-1.5">
      <Button variant="ghost" size="sm" disabled={isLoading} onClick={onShow}>
        Show older messages
      </Button>
    </div>
  );
}

interface ThreadComposerProps {
  threadId: string;
  /** True while the thread has unfinished jobs. */
  isBusy: boolean;
  graph: string | null;
  onSend: (content: string, strategy: MultitaskStrategy) => void;
}

function ThreadComposer({ threadId, isBusy, graph, onSend }: ThreadComposerProps) {
  const [strategy, setStrategy] = useState<Strategy>("enqueue");
  return (
    <ComposerBar>
      <Composer
        draftKey={threadId}
        placeholder={graph === null ? PLACEHOLDER : "Write a message"}
        onSend={(content) => {
          onSend(content, strategy);
          setStrategy("enqueue");
        }}
        options={isBusy && <StrategySelect value={strategy} onChange={setStrategy} />}
      />
    </ComposerBar>
  );
}

/** Removes messages from the outbox once the thread shows them. */
function useRemoveShown(outbox: readonly Outgoing[], data: Thread | undefined): void {
  useEffect(() => {
    const shown = shownJobs(data);
    const done = outbox.filter((message) => message.jobId !== null && shown.has(message.jobId));
    if (done.length > 0) removeOutgoing(new Set(done.map((message) => message.idempotencyKey)));
  }, [data, outbox]);
}

const STRATEGIES = {
  enqueue: "Send after the reply",
  interrupt: "Stop the reply, go on from it",
  rollback: "Stop the reply, forget it",
} satisfies Partial<Record<MultitaskStrategy, string>>;
type Strategy = keyof typeof STRATEGIES;

/** Chooses how the next message treats the reply in progress. */
function StrategySelect({ value, onChange }: { value: Strategy; onChange: (strategy: Strategy) => void }) {
  return (
    <Select label="While a reply is being written" value={value} onChange={(chosen) => onChange(chosen as Strategy)}>
      {Object.entries(STRATEGIES).map(([strategy, label]) => (
        <option key={strategy} value={strategy}>
          {label}
        </option>
      ))}
    </Select>
  );
}
