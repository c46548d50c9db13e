import { PanelLeft } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { describeError, isNotFound } from "../../describe-error.ts";
import { trpc } from "../../trpc.ts";
import { Button } from "../../ui/button.tsx";
import { Drawer } from "../../ui/drawer.tsx";
import { EmptyNotice, ErrorNotice, Skeleton } from "../../ui/notice.tsx";
import { Composer } from "./composer.tsx";
import { Conversation } from "./conversation.tsx";
import { removeOutgoing, useOutbox } from "./outbox.ts";
import { ThreadList } from "./thread-list.tsx";
import { shownJobs, toLines } from "./turns.ts";
import { useSend } from "./use-send.ts";

const EXAMPLES = [
  "Detect card fraud at 2,000 transactions per second within 50 ms, under $5,000 a month",
  "Recommend articles to 3 million readers; new articles must show up within minutes",
  "Forecast demand for 20,000 products in 40 shops, nightly, on our own servers",
  "Answer support questions from our handbook, with sources, and keep personal data in the EU",
];

/** The chat: the threads beside the conversation; null is a thread that has not begun. */
export function ChatPage({ threadId }: { threadId: string | null }) {
  const [drawerOpen, setDrawerOpen] = useState(false);
  const { send } = useSend();
  return (
    <div className="flex h-full">
      <aside className="hidden w-68 shrink-0 flex-col border-r border-line bg-panel md:flex">
        <ThreadList />
      </aside>
      <Drawer title="Threads" open={drawerOpen} onOpenChange={setDrawerOpen}>
        <ThreadList onChoose={() => setDrawerOpen(false)} />
      </Drawer>
      <main className="flex min-w-0 flex-1 flex-col">
        <div className="border-b border-line px-2 py-1 md:hidden">
          <Button variant="ghost" size="sm" onClick={() => setDrawerOpen(true)}>
            <PanelLeft aria-hidden className="size-4" /> Threads
          </Button>
        </div>
        {threadId === null ? (
          <Welcome onChoose={(content) => send(null, content)} />
        ) : (
          <ThreadView threadId={threadId} />
        )}
        <div className="mx-auto w-full max-w-3xl shrink-0 px-3 pb-3 sm:px-6 sm:pb-5">
          <Composer
            key={threadId ?? "new"}
            draftKey={threadId ?? "new"}
            onSend={(content) => send(threadId, content)}
          />
        </div>
      </main>
    </div>
  );
}

function ThreadView({ threadId }: { threadId: string }) {
  const { resend } = useSend();
  const everything = useOutbox();
  const outbox = useMemo(() => everything.filter((message) => message.threadId === threadId), [everything, threadId]);
  // A thread whose first message is still on its way does not exist yet.
  const unborn = outbox.length > 0 && outbox.every((message) => message.jobId === null);
  const thread = trpc.threads.get.useQuery(
    { threadId },
    { enabled: !unborn, retry: (count, error) => !isNotFound(error) && count < 2 },
  );
  const data = thread.data;
  useEffect(() => {
    const shown = shownJobs(data);
    const done = outbox.filter((message) => message.jobId !== null && shown.has(message.jobId));
    if (done.length > 0) removeOutgoing(new Set(done.map((message) => message.idempotencyKey)));
  }, [data, outbox]);
  const lines = useMemo(() => toLines(data, outbox), [data, outbox]);

  if (data === undefined && !unborn && outbox.length === 0) {
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
      {thread.isError && !unborn && !isNotFound(thread.error) && (
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
      <Conversation threadId={threadId} lines={lines} onResend={resend} />
    </>
  );
}

function Welcome({ onChoose }: { onChoose: (content: string) => void }) {
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto flex min-h-full max-w-3xl flex-col justify-end gap-6 px-4 py-8 sm:justify-center sm:px-6">
        <div>
          <h1 className="text-2xl font-semibold tracking-tight">What should the system do?</h1>
          <p className="mt-2 text-soft">
            Describe a machine-learning system. You get a design with its plan, costs, risks and alternatives, and can
            change it in the next message.
          </p>
        </div>
        <ul aria-label="Examples" className="grid gap-2 sm:grid-cols-2">
          {EXAMPLES.map((example) => (
            <li key={example}>
              <button
                type="button"
                onClick={() => onChoose(example)}
                className="h-full w-full rounded-xl border border-line bg-raised p-3.5 text-left text-sm leading-snug text-soft transition-colors hover:bg-hover hover:text-ink"
              >
                {example}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
