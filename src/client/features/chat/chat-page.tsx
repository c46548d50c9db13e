/**
 * The chat page. `threads/` lists and loads conversations, `conversation/` shows one, `compose/` sends messages.
 * This folder must not know other features.
 * Invariant: a sent message appears at once, and it appears once.
 */
import { PanelLeft } from "lucide-react";
import { useState } from "react";
import { trpc } from "../../trpc.ts";
import { Button, Drawer, EmptyNotice, Select } from "../../ui/index.ts";
import { Composer, ComposerBar, PLACEHOLDER } from "./compose/composer.tsx";
import { ThreadList } from "./threads/thread-list.tsx";
import { ThreadView } from "./threads/thread-view.tsx";
import { useSend } from "./compose/use-send.ts";

const EXAMPLES = [
  "Detect card fraud at 2,000 transactions per second within 50 ms, under $5,000 a month",
  "Recommend articles to 3 million readers; new articles must show up within minutes",
  "Forecast demand for 20,000 products in 40 shops, nightly, on our own servers",
  "Answer support questions from our handbook, with sources, and keep personal data in the EU",
];

/** The threads beside the conversation. A null `threadId` starts a new thread. */
export function ChatPage({ threadId }: { threadId: string | null }) {
  const [drawerOpen, setDrawerOpen] = useState(false);
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
        {threadId === null ? <NewThread /> : <ThreadView key={threadId} threadId={threadId} />}
      </main>
    </div>
  );
}

function NewThread() {
  const { send } = useSend();
  const [graph, setGraph] = useState<string | null>(null);
  const offered = trpc.graphs.list.useQuery();
  const usable = (offered.data?.graphs ?? []).filter((one) => one.error === null);
  const options = usable.length > 0 && (
    <Select label="Graph" value={graph ?? ""} onChange={(value) => setGraph(value === "" ? null : value)}>
      <option value="">ML system designer</option>
      {usable.map((one) => (
        <option key={one.name} value={one.name} title={one.description ?? undefined}>
          {one.name}
        </option>
      ))}
    </Select>
  );
  const description = usable.find((one) => one.name === graph)?.description;
  return (
    <>
      {graph === null ? (
        <Welcome onChoose={(content) => send({ threadId: null, content })} />
      ) : (
        <EmptyNotice title={graph}>{description ?? "A graph of your own."}</EmptyNotice>
      )}
      <ComposerBar>
        <Composer
          draftKey="new"
          placeholder={graph === null ? PLACEHOLDER : "Write a message"}
          options={options}
          onSend={(content) => send({ threadId: null, content, graph })}
        />
      </ComposerBar>
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
