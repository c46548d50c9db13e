import { Link } from "@tanstack/react-router";
import { MessageSquarePlus } from "lucide-react";
import { describeError } from "../../../describe-error.ts";
import { Age } from "../../../time/live-age.tsx";
import { trpc } from "../../../trpc.ts";
import { ErrorNotice, Skeleton } from "../../../ui/index.ts";

const REFRESH_MS = 10_000;
const LISTED = 200;

/** The conversations, last used first. */
export function ThreadList({ onChoose }: { onChoose?: () => void }) {
  const list = trpc.threads.list.useQuery({ limit: LISTED }, { refetchInterval: REFRESH_MS });
  return (
    <nav aria-label="Threads" className="flex min-h-0 flex-1 flex-col">
      <div className="p-3">
        <Link
          to="/"
          onClick={onChoose}
          className="flex h-9 items-center gap-2 rounded-lg border border-line bg-raised px-3 text-sm font-medium hover:bg-hover"
        >
          <MessageSquarePlus aria-hidden className="size-4" /> New chat
        </Link>
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto px-2 pb-4">
        {list.isPending && <Skeleton label="Loading threads" />}
        {list.isError && !list.data && <ErrorNotice>{describeError(list.error)}</ErrorNotice>}
        {list.data?.threads.length === 0 && <p className="px-2 py-3 text-sm text-faint">No conversations yet.</p>}
        <ul className="flex flex-col gap-0.5">
          {list.data?.threads.map((thread) => (
            <li key={thread.threadId}>
              <Link
                to="/threads/$threadId"
                params={{ threadId: thread.threadId }}
                onClick={onChoose}
                className="flex items-baseline justify-between gap-2 rounded-lg px-2.5 py-2 text-sm text-soft hover:bg-hover"
                activeProps={{ className: "bg-hover text-ink!", "aria-current": "page" }}
              >
                <span className="truncate">{thread.title}</span>
                <span className="shrink-0 text-xs text-faint">
                  <Age iso={thread.updatedAt} />
                </span>
              </Link>
            </li>
          ))}
        </ul>
      </div>
    </nav>
  );
}
