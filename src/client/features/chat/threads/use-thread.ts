import { useMemo } from "react";
import { isNotFound } from "../../../describe-error.ts";
import type { Thread } from "../../../outputs.ts";
import { trpc } from "../../../trpc.ts";

/** A conversation with as many of its messages as were asked for, and the query that loads it. */
export function useThread(threadId: string, enabled: boolean) {
  const query = trpc.threads.get.useInfiniteQuery(
    { threadId },
    {
      enabled,
      retry: (count, error) => !isNotFound(error) && count < 2,
      getNextPageParam: (page) => page.olderCursor,
    },
  );
  const data = useMemo(() => joinPages(query.data?.pages), [query.data]);
  return { query, data };
}

/** The newest page with the messages of all that were loaded, oldest first. */
function joinPages(pages: readonly Thread[] = []): Thread | undefined {
  const [newest] = pages;
  return newest && { ...newest, messages: pages.toReversed().flatMap((page) => page.messages) };
}
