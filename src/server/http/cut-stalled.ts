import type { ServerResponse } from "node:http";

/**
 * Cuts an event stream whose reader has taken nothing for a time, in milliseconds, of what waits for it. A reader that
 * keeps up is never cut: comments and pings count as well, and are sent more often than that.
 */
export function cutStalled(stream: ServerResponse, stalledMs: number): void {
  // The socket's timeout: it begins again with every write and with every part of one that the reader has taken.
  stream.setTimeout(stalledMs, () => stream.destroy());
}
