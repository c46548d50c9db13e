import type { JobStatusView, Message, Thread } from "../../../outputs.ts";
import { readPath } from "./branches.ts";
import type { Chosen } from "./branches.ts";
import type { Outgoing } from "../compose/outbox.ts";

/** One line of a conversation as the page shows it. */
export type Line =
  | {
      kind: "message";
      key: string;
      role: Message["role"];
      content: string;
      usage: Message["usage"];
      edit: Editable | null;
    }
  | { kind: "job"; key: string; jobId: string; job: JobStatusView | null }
  | { kind: "outgoing"; key: string; message: Outgoing };

/** A user's message that can be written anew, and its other versions. */
export interface Editable {
  messageId: string;
  parentId: string | null;
  /** All versions of it, oldest first, this one among them. */
  versions: readonly string[];
}

/**
 * The branch that is shown, in reading order: each user message is followed by its reply, or by its job where there is
 * none; messages still on their way come last, or in place of what they replace. Those that the thread itself has by
 * now are left out.
 */
export function toLines(thread: Thread | undefined, outbox: readonly Outgoing[], chosen: Chosen = {}): Line[] {
  const jobs = new Map(thread?.jobs.map((job) => [job.jobId, job]));
  const shown = shownJobs(thread);
  const waiting = outbox.filter((message) => message.jobId === null || !shown.has(message.jobId));
  const lines: Line[] = [];
  const path = readPath(thread?.messages ?? [], chosen);
  const replied = new Set(path.flatMap(({ message }) => (message.role === "assistant" ? [message.jobId] : [])));
  for (const { message, versions } of path) {
    const { id, parentId, role, content, jobId, usage } = message;
    if (waiting.some((one) => one.parentId === id && role === "user")) break;
    const edit = role === "user" ? { messageId: id, parentId, versions } : null;
    // The same key for a job and its reply: the one becomes the other in place.
    const key = role === "assistant" && jobId !== null ? `reply-${jobId}` : id;
    lines.push({ kind: "message", key, role, content, usage, edit });
    if (jobId !== null && role === "user" && !replied.has(jobId))
      lines.push({ kind: "job", key: `reply-${jobId}`, jobId, job: jobs.get(jobId) ?? null });
  }
  for (const message of waiting) lines.push({ kind: "outgoing", key: message.idempotencyKey, message });
  return lines;
}

/** The jobs whose message the thread has. */
export function shownJobs(thread: Thread | undefined): Set<string> {
  return new Set(thread?.messages.flatMap((message) => (message.jobId === null ? [] : [message.jobId])));
}
