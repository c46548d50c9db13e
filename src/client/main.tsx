/**
 * The browser client. `features/` holds the pages, `ui/` their visual parts, `shell/` the frame around every page.
 * Of the server's code it knows only the router's type and the shared contracts.
 * Invariant: features do not import each other.
 */
// oxlint-disable-next-line import/no-unassigned-import -- a setting that must come before any schema
import "./zod-without-eval.ts";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { router } from "./router.tsx";
import { restoreTheme } from "./shell/theme.ts";
import { queryClient, trpc, trpcClient } from "./trpc.ts";
// oxlint-disable-next-line import/no-unassigned-import -- a style sheet exports nothing
import "./styles.css";

restoreTheme();
const root = document.querySelector("#root");
if (root === null) throw new Error("the page has no #root");
createRoot(root).render(
  <StrictMode>
    <trpc.Provider client={trpcClient} queryClient={queryClient}>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </trpc.Provider>
  </StrictMode>,
);
