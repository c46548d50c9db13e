import { AIMessage, ToolMessage } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";

/**
 * Answers to the tool calls at the end of a conversation whose run was stopped before they had one. Without them a model
 * refuses all that follows.
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
            // The same for each attempt, so that it is there once.
            id: `closed-${caller.id}-${id}`,
            tool_call_id: id,
            name,
            status: "error",
            content: "The call was stopped before it had a result.",
          }),
        ],
  );
}
