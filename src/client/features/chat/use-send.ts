import { useNavigate } from "@tanstack/react-router";
import { describeError } from "../../describe-error.ts";
import { trpc } from "../../trpc.ts";
import { addOutgoing, changeOutgoing } from "./outbox.ts";
import type { Outgoing } from "./outbox.ts";

/** How to send a message, and to send one again that failed. */
export function useSend(): {
  send: (threadId: string | null, content: string) => void;
  resend: (message: Outgoing) => void;
} {
  const navigate = useNavigate();
  const cache = trpc.useUtils();
  const { mutateAsync: submit } = trpc.chat.submit.useMutation();

  const resend = ({ idempotencyKey, threadId, content }: Outgoing) => {
    changeOutgoing(idempotencyKey, { state: "sending", error: null });
    submit({ threadId, content, idempotencyKey }).then(
      async ({ jobId }) => {
        changeOutgoing(idempotencyKey, { state: "sent", jobId });
        await Promise.all([cache.threads.get.invalidate({ threadId }), cache.threads.list.invalidate()]);
      },
      (error: unknown) => changeOutgoing(idempotencyKey, { state: "failed", error: describeError(error) }),
    );
  };

  const send = (threadId: string | null, content: string) => {
    // The thread's id is made here, so that sending the first message twice cannot start two threads.
    const message: Outgoing = {
      idempotencyKey: crypto.randomUUID(),
      threadId: threadId ?? crypto.randomUUID(),
      content,
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
