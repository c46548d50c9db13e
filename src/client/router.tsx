import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { z } from "zod";
import { JOB_STATUSES } from "#shared/job-states";
import { ChatPage } from "./features/chat/chat-page.tsx";
import { JobPage } from "./features/jobs/job-page.tsx";
import { JobsPage } from "./features/jobs/jobs-page.tsx";
import { SchedulesPage } from "./features/schedules/schedules-page.tsx";
import { WorkersPage } from "./features/workers/workers-page.tsx";
import { AppShell } from "./shell/app-shell.tsx";
import { NotFound, PageFailed } from "./shell/route-states.tsx";

const root = createRootRoute({ component: AppShell, notFoundComponent: NotFound, errorComponent: PageFailed });

const newChat = createRoute({ getParentRoute: () => root, path: "/", component: () => <ChatPage threadId={null} /> });
const thread = createRoute({
  getParentRoute: () => root,
  path: "/threads/$threadId",
  component: function ThreadRoute() {
    const { threadId } = thread.useParams();
    return <ChatPage key={threadId} threadId={threadId} />;
  },
});

/** The filter of the jobs page, as part of the address. Invalid values are ignored. */
const jobsSearch = z.object({
  status: z.enum(JOB_STATUSES).optional().catch(undefined),
  search: z.string().max(200).optional().catch(undefined),
  type: z.string().max(100).optional().catch(undefined),
});
const jobs = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  validateSearch: jobsSearch,
  component: function JobsRoute() {
    const navigate = jobs.useNavigate();
    return <JobsPage filter={jobs.useSearch()} onFilter={(search) => void navigate({ search, replace: true })} />;
  },
});
const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$jobId",
  component: function JobRoute() {
    const { jobId } = job.useParams();
    return <JobPage key={jobId} jobId={jobId} />;
  },
});
const workers = createRoute({ getParentRoute: () => root, path: "/workers", component: WorkersPage });
const schedules = createRoute({ getParentRoute: () => root, path: "/schedules", component: SchedulesPage });

export const router = createRouter({
  routeTree: root.addChildren([newChat, thread, jobs, job, workers, schedules]),
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
