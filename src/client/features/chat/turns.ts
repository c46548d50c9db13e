import type { JobStatusView, Message, Thread } from "../../outputs.ts";
import type { Outgoing } from "./outbox.ts";

/** One line of a conversation as the page shows it. */
export type Line =
  | { kind: "message"; key: string; role: Message["role"]; content: string }
  | { kind: "job"; key: string; jobId: string; job: JobStatusView | null }
  | { kind: "outgoing"; key: string; message: Outgoing };

/**
 * A conversation in reading order: each user message is followed by its reply, or by its job where there is none;
 * messages still on their way come last. Those that the thread itself has by now are left out.
 */
export function toLines(thread: Thread | undefined, outbox: readonly Outgoing[]): Line[] {
  const messages = thread?.messages ?? [];
  const jobs = new Map(thread?.jobs.map((job) => [job.jobId, job]));
  const replies = new Map(
    messages.filter((one) => one.role === "assistant" && one.jobId !== null).map((one) => [one.jobId, one]),
  );
  const lines: Line[] = [];
  for (const message of messages) {
    const { id: key, role, content, jobId } = message;
    // A reply stands behind its own question, not where it happened to be written.
    if (jobId !== null && role === "assistant") continue;
    lines.push({ kind: "message", key, role, content });
    if (jobId === null || role !== "user") continue;
    const reply = replies.get(jobId);
    // The same key for a job and its reply: the one becomes the other in place.
    if (reply) lines.push({ kind: "message", key: `reply-${jobId}`, role: "assistant", content: reply.content });
    else lines.push({ kind: "job", key: `reply-${jobId}`, jobId, job: jobs.get(jobId) ?? null });
  }
  const shown = shownJobs(thread);
  for (const message of outbox) {
    if (message.jobId !== null && shown.has(message.jobId)) continue;
    lines.push({ kind: "outgoing", key: message.idempotencyKey, message });
  }
  return lines;
}

/** The jobs whose message the thread has. */
export function shownJobs(thread: Thread | undefined): Set<string> {
  return new Set(thread?.messages.flatMap((message) => (message.jobId === null ? [] : [message.jobId])));
}
