/**
 * The outbox: messages from the moment they are sent until the thread shows them. It survives a reload.
 * This folder must not know how conversations are loaded or shown.
 * Invariant: each message keeps one idempotency key, so resending it never creates a second job.
 */
import { useSyncExternalStore } from "react";
import type { MultitaskStrategy } from "#shared/contracts";

/** A sent message that the thread does not show yet. */
export interface Outgoing {
  /** Stays the same when the message is resent. */
  idempotencyKey: string;
  threadId: string;
  /** True for the first message of a thread: the server creates the thread with it. */
  startsThread: boolean;
  content: string;
  /** The reply that it follows or the message that it replaces; null follows the newest message. */
  parentId: string | null;
  /** How it treats the thread's unfinished jobs; null waits behind them. */
  strategy: MultitaskStrategy | null;
  /** The graph of a new thread; null means the built-in one. */
  graph: string | null;
  state: "sending" | "failed" | "sent";
  /** The error of the last request; null unless it failed. */
  error: string | null;
  /** The message's job; null until the server has acknowledged the message. */
  jobId: string | null;
}

const STORAGE_KEY = "threadmill.outbox";
const listeners = new Set<() => void>();
let messages: readonly Outgoing[] = restore();

/** Restores the messages of the page before a reload. A message in flight counts as failed; resending it is safe. */
function restore(): readonly Outgoing[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]");
    if (!Array.isArray(stored)) return [];
    return (stored as Outgoing[]).map((message) =>
      message.state === "sending"
        ? { ...message, state: "failed", error: "The page was closed before it was sent." }
        : message,
    );
  } catch {
    return []; // Storage may be denied or hold an older format.
  }
}

function change(next: readonly Outgoing[]): void {
  messages = next;
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(next));
  } catch {
    // Storage may be denied; the outbox then does not survive a reload.
  }
  for (const listener of listeners) listener();
}

export function addOutgoing(message: Outgoing): void {
  change([...messages, message]);
}

export function changeOutgoing(idempotencyKey: string, changed: Partial<Outgoing>): void {
  change(messages.map((message) => (message.idempotencyKey === idempotencyKey ? { ...message, ...changed } : message)));
}

/** Removes messages that the thread now shows. */
export function removeOutgoing(keys: ReadonlySet<string>): void {
  if (messages.some((message) => keys.has(message.idempotencyKey))) {
    change(messages.filter((message) => !keys.has(message.idempotencyKey)));
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** All messages of the outbox, oldest first. */
export function useOutbox(): readonly Outgoing[] {
  return useSyncExternalStore(subscribe, () => messages);
}
