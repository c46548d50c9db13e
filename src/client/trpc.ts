/** The typed client of the server. Calls are not batched: a slow call must not delay a fast one. */
import { QueryClient } from "@tanstack/react-query";
import { httpLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import type { CreateTRPCReact } from "@trpc/react-query";
import type { AppRouter } from "#server/router";

const REQUEST_TIMEOUT_MS = 15_000;

export const trpc: CreateTRPCReact<AppRouter, unknown> = createTRPCReact<AppRouter>();

/** Fetch with a deadline, because a request on a dead connection never settles. */
const fetchWithDeadline: typeof fetch = (input, init) => {
  const deadline = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  return fetch(input, { ...init, signal: init?.signal ? AbortSignal.any([init.signal, deadline]) : deadline });
};

export const trpcClient = trpc.createClient({
  links: [
    splitLink({
      condition: ({ type }) => type === "subscription",
      true: httpSubscriptionLink({ url: "/api/trpc" }),
      false: httpLink({ url: "/api/trpc", fetch: fetchWithDeadline as never }),
    }),
  ],
});

/** `networkMode: "always"`: the server is usually on this machine, reachable while the browser is offline. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { networkMode: "always", retry: 1, retryDelay: 500, staleTime: 1000 },
    mutations: { networkMode: "always" },
  },
});
