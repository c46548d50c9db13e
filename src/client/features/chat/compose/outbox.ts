import { useSyncExternalStore } from "react";
import type { MultitaskStrategy } from "#shared/contracts";

/** A message on its way: shown at once, sent until the server has it. */
export interface Outgoing {
  /** Made once for the message and sent with every try, so that it becomes one job however often it is sent. */
  idempotencyKey: string;
  threadId: string;
  /** Whether it starts its thread, which does not exist before the server has taken it. */
  startsThread: boolean;
  content: string;
  /** The reply that it follows or the message that it replaces; null where it comes after the newest. */
  parentId: string | null;
  /** What becomes of the thread's unfinished jobs; null lets it wait behind them. */
  strategy: MultitaskStrategy | null;
  /** The graph that a new thread is with; null for the built-in one. */
  graph: string | null;
  state: "sending" | "failed" | "sent";
  /** Why the last try failed; null while none has. */
  error: string | null;
  /** The message's job, once the server has taken it; null before. */
  jobId: string | null;
}

const STORAGE_KEY = "threadmill.outbox";
const readers = new Set<() => void>();
let messages: readonly Outgoing[] = restore();

/** What a page that was closed in the middle of sending left behind; the key makes sending it again safe. */
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
    return []; // Storage may be denied, or hold what an older page left.
  }
}

function change(next: readonly Outgoing[]): void {
  messages = next;
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(next));
  } catch {
    // Not kept over a reload where storage is denied.
  }
  for (const read of readers) read();
}

/** Puts a message in the outbox. */
export function addOutgoing(message: Outgoing): void {
  change([...messages, message]);
}

/** Changes a message of the outbox. */
export function changeOutgoing(idempotencyKey: string, changed: Partial<Outgoing>): void {
  change(messages.map((message) => (message.idempotencyKey === idempotencyKey ? { ...message, ...changed } : message)));
}

/** Takes messages out that the thread itself shows by now, or that were given up. */
export function removeOutgoing(keys: ReadonlySet<string>): void {
  if (messages.some((message) => keys.has(message.idempotencyKey))) {
    change(messages.filter((message) => !keys.has(message.idempotencyKey)));
  }
}

function subscribe(read: () => void): () => void {
  readers.add(read);
  return () => readers.delete(read);
}

/** Every message on its way, oldest first. */
export function useOutbox(): readonly Outgoing[] {
  return useSyncExternalStore(
    subscribe,
    () => messages,
    () => messages,
  );
}
