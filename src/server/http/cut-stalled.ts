import type { ServerResponse } from "node:http";

/**
 * Closes an event stream when its reader takes no data for `stalledMs`. Comments and pings count as
 * data and are sent more often, so an active reader is never closed.
 */
export function cutStalled(stream: ServerResponse, stalledMs: number): void {
  // The socket timeout restarts with every write and every partial read.
  stream.setTimeout(stalledMs, () => stream.destroy());
}
