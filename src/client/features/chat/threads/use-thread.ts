import { useMemo } from "react";
import { retryUnlessNotFound } from "../../../describe-error.ts";
import type { Thread } from "../../../outputs.ts";
import { trpc } from "../../../trpc.ts";

/** Loads a conversation page by page. `data` holds the messages of all loaded pages. */
export function useThread(threadId: string, enabled: boolean) {
  const query = trpc.threads.get.useInfiniteQuery(
    { threadId },
    {
      enabled,
      retry: retryUnlessNotFound,
      getNextPageParam: (page) => page.olderCursor,
    },
  );
  const data = useMemo(() => joinPages(query.data?.pages), [query.data]);
  return { query, data };
}

/** The newest page with the messages of all pages, oldest first. */
function joinPages(pages: readonly Thread[] = []): Thread | undefined {
  const [newest] = pages;
  return newest && { ...newest, messages: pages.toReversed().flatMap((page) => page.messages) };
}
