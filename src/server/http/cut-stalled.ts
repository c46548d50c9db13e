import type { ServerResponse } from "node:http";

/**
 * Closes an event stream when its reader takes no data for `stalledMs`. Comments and pings count as data and are sent
 * more often than that, so the limit never closes an active reader.
 */
export function cutStalled(stream: ServerResponse, stalledMs: number): void {
  // The socket timeout restarts with every write and every partial read.
  stream.setTimeout(stalledMs, () => stream.destroy());
}
