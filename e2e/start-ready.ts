import { expect } from "vitest";
import { alive, descendants, run } from "./start-process.ts";
import type { Running } from "./start-process.ts";

export const READY = /Threadmill ready at /;
export const POSTGRES = "bin/postgres";
export const JSON_TYPE = { "content-type": "application/json" };

/** Sends a message and waits for the reply; retries while the API answers 503. Returns the thread and its roles. */
export async function chat(
  port: string,
  content: string,
  threadId?: string,
): Promise<{ threadId: string; roles: string[] }> {
  const api = `http://127.0.0.1:${port}/api`;
  const body = JSON.stringify({ messages: [{ role: "user", content }], ...(threadId && { thread_id: threadId }) });
  for (;;) {
    const response = await fetch(`${api}/chat`, { method: "POST", headers: JSON_TYPE, body });
    if (response.status === 503) {
      await response.body?.cancel();
      continue;
    }
    const { thread_id: own } = (await response.json()) as { thread_id: string };
    const input = encodeURIComponent(JSON.stringify({ threadId: own }));
    const thread = await fetch(`${api}/trpc/threads.get?input=${input}`);
    const { result } = (await thread.json()) as { result: { data: { messages: { role: string }[] } } };
    return { threadId: own, roles: result.data.messages.map(({ role }) => role) };
  }
}

/** Returns the roles of this many complete turns. */
export function turns(count: number): string[] {
  return Array.from({ length: count }, () => ["user", "assistant"]).flat();
}

export async function startReady(settings: Record<string, string>): Promise<Running> {
  const one = run("start", settings);
  await one.says(READY);
  return one;
}

/** Sends Ctrl-C, and expects exit code 0 and no running descendant. */
export async function stop(one: Running): Promise<void> {
  const family = descendants(one.pid).map(({ pid }) => pid);
  one.signal("SIGINT");
  expect(await one.ended).toEqual({ code: 0, signal: null });
  expect(alive(family)).toEqual([]);
}
