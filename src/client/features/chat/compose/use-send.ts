import { useNavigate } from "@tanstack/react-router";
import type { MultitaskStrategy } from "#shared/contracts";
import { describeError } from "../../../describe-error.ts";
import { trpc } from "../../../trpc.ts";
import { addOutgoing, changeOutgoing } from "./outbox.ts";
import type { Outgoing } from "./outbox.ts";

/** A message as the user wrote it. */
export interface NewMessage {
  /** Null starts a new thread. */
  threadId: string | null;
  content: string;
  parentId?: string | null;
  strategy?: MultitaskStrategy | null;
  graph?: string | null;
}

/** Functions that send a message and resend a failed one. */
export function useSend(): {
  send: (message: NewMessage) => void;
  resend: (message: Outgoing) => void;
} {
  const navigate = useNavigate();
  const cache = trpc.useUtils();
  const { mutateAsync: submit } = trpc.chat.submit.useMutation();

  const resend = ({ idempotencyKey, threadId, content, parentId, strategy, graph }: Outgoing) => {
    changeOutgoing(idempotencyKey, { state: "sending", error: null });
    const options = {
      ...(parentId !== null && { parentId }),
      ...(strategy !== null && { multitaskStrategy: strategy }),
      ...(graph !== null && { graph }),
    };
    submit({ threadId, content, idempotencyKey, ...options }).then(
      async ({ jobId }) => {
        changeOutgoing(idempotencyKey, { state: "sent", jobId });
        await Promise.all([cache.threads.get.invalidate({ threadId }), cache.threads.list.invalidate()]);
      },
      (error: unknown) => changeOutgoing(idempotencyKey, { state: "failed", error: describeError(error) }),
    );
  };

  const send = ({ threadId, content, parentId = null, strategy = null, graph = null }: NewMessage) => {
    // The client creates the thread's id, so that resending the first message cannot start a second thread.
    const message: Outgoing = {
      idempotencyKey: crypto.randomUUID(),
      threadId: threadId ?? crypto.randomUUID(),
      startsThread: threadId === null,
      content,
      parentId,
      strategy,
      graph,
      state: "sending",
      error: null,
      jobId: null,
    };
    addOutgoing(message);
    if (threadId === null) void navigate({ to: "/threads/$threadId", params: { threadId: message.threadId } });
    resend(message);
  };
  return { send, resend };
}
