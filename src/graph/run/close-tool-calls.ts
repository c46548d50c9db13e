import { AIMessage, ToolMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";

/**
 * Makes an error result for each unanswered tool call at the end of a conversation. A model refuses a conversation with
 * unanswered calls.
 */
export function closeToolCalls(messages: readonly BaseMessage[]): ToolMessage[] {
  const at = messages.findLastIndex((message) => !ToolMessage.isInstance(message));
  const caller = messages[at];
  if (!caller || !AIMessage.isInstance(caller)) return [];
  const answered = new Set(messages.slice(at + 1).map((message) => (message as ToolMessage).tool_call_id));
  return (caller.tool_calls ?? []).flatMap(({ id, name }) =>
    id === undefined || answered.has(id)
      ? []
      : [
          new ToolMessage({
            // The same id in each attempt adds the message once.
            id: `closed-${caller.id}-${id}`,
            tool_call_id: id,
            name,
            status: "error",
            content: "The call was stopped before it had a result.",
          }),
        ],
  );
}
