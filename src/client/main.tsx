// oxlint-disable-next-line import/no-unassigned-import -- a setting, which has to come first
import "./zod-without-eval.ts";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { router } from "./router.tsx";
import { restoreTheme } from "./shell/theme.ts";
import { queryClient, trpc, trpcClient } from "./trpc.ts";
// oxlint-disable-next-line import/no-unassigned-import -- a style sheet has nothing to name
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
