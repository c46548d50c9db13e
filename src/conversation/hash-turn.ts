import type { NewTurn } from "./new-turn.ts";
import { createHash } from "node:crypto";

/**
 * A hash of a turn's request: equal for two requests with the same meaning, on tRPC and on REST. It is stored beside the
 * payload, because operators may edit the payload.
 */
export function hashTurn(turn: NewTurn): string {
  const { content, threadId, graph, parentId, jobType, budget, history = [] } = turn;
  const canonical = [
    content,
    threadId?.toLowerCase() ?? null,
    graph ?? null,
    parentId?.toLowerCase() ?? null,
    jobType ?? null,
    budget?.tokens ?? null,
    budget?.costUsd ?? null,
    history.map((message) => [message.role, message.content]),
  ];
  return createHash("sha256").update(JSON.stringify(canonical)).digest("base64url");
}
