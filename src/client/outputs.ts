/** The results of the procedures as the client receives them: JSON may omit a property of type `unknown`. */
import type { inferRouterOutputs } from "@trpc/server";
import type { AppRouter } from "#server/router";

type Outputs = inferRouterOutputs<AppRouter>;

export type JobStatusView = Outputs["jobs"]["status"];
export type JobDetail = Outputs["jobs"]["get"];
export type Attempt = JobDetail["attempts"][number];
export type JobEvent = JobDetail["events"][number];
export type Thread = Outputs["threads"]["get"];
export type Message = Thread["messages"][number];
export type ScheduleRow = Outputs["schedules"]["list"]["schedules"][number];
