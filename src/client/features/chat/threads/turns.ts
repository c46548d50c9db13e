/**
 * Conversations: their list, their messages by page, their branches, and the lines that the page shows.
 * This folder must not know how a line looks.
 * Invariant: each message appears once, either from the thread or from the outbox.
 */
import type { JobStatusView, Message, Thread } from "../../../outputs.ts";
import { readPath } from "./branches.ts";
import type { Chosen } from "./branches.ts";
import type { Outgoing } from "../compose/outbox.ts";

/** One entry in the list of a conversation. */
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

/** A user's message that can be edited, with its versions. */
export interface Editable {
  messageId: string;
  parentId: string | null;
  /** All versions of the message, this one included, oldest first. */
  versions: readonly string[];
}

/**
 * The lines of the shown branch in reading order. A user message is followed by its reply, or by its job until then.
 * Outgoing messages that the thread does not contain come last, or in place of the message that they replace.
 */
export function toLines(thread: Thread | undefined, outbox: readonly Outgoing[], chosen: Chosen = {}): Line[] {
  const jobs = new Map(thread?.jobs.map((job) => [job.jobId, job]));
  const shown = shownJobs(thread);
  const unshown = outbox.filter((message) => message.jobId === null || !shown.has(message.jobId));
  const lines: Line[] = [];
  const path = readPath(thread?.messages ?? [], chosen);
  const replied = new Set(path.flatMap(({ message }) => (message.role === "assistant" ? [message.jobId] : [])));
  for (const { message, versions } of path) {
    const { id, parentId, role, content, jobId, usage } = message;
    if (unshown.some((one) => one.parentId === id && role === "user")) break;
    const edit = role === "user" ? { messageId: id, parentId, versions } : null;
    // A job and its reply share a key, so the reply replaces the job in place.
    const key = role === "assistant" && jobId !== null ? `reply-${jobId}` : id;
    lines.push({ kind: "message", key, role, content, usage, edit });
    if (jobId !== null && role === "user" && !replied.has(jobId))
      lines.push({ kind: "job", key: `reply-${jobId}`, jobId, job: jobs.get(jobId) ?? null });
  }
  for (const message of unshown) lines.push({ kind: "outgoing", key: message.idempotencyKey, message });
  return lines;
}

/** The ids of the jobs whose messages the thread contains. */
export function shownJobs(thread: Thread | undefined): Set<string> {
  return new Set(thread?.messages.flatMap((message) => (message.jobId === null ? [] : [message.jobId])));
}
