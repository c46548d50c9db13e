import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll } from "vitest";

/** Resources that keep a process alive; a test file must not leave any behind. */
const WATCHED = new Set(["Timeout", "TCPSocketWrap", "TCPServerWrap", "PipeWrap", "ProcessWrap"]);
/** Closing a socket takes some turns of the event loop, and the runner has short timers. */
const SETTLE_MS = 2_000;

function countHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo())
    if (WATCHED.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

const before = countHandles();

function findLeaks(): string[] {
  return [...countHandles()]
    .map(([name, count]) => ({ name, more: count - (before.get(name) ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(({ name, more }) => `${more} ${name}`);
}

afterAll(async () => {
  const deadline = performance.now() + SETTLE_MS;
  while (findLeaks().length > 0 && performance.now() < deadline) await nextTurn();
  const leaks = findLeaks();
  if (leaks.length > 0) throw new Error(`The file leaves behind: ${leaks.join(", ")}; close or clear what it opened`);
});
