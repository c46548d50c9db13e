/** A job's event log and the notices about it. Invariant: a log is numbered from 1 without gaps. */
export { appendEvents, appendParts } from "./append-events.ts";
export type { Append, NewEvent } from "./append-events.ts";
export { readEvents } from "./read-events.ts";
export type { EventPage } from "./read-events.ts";
export { readLogHeads } from "./read-log-heads.ts";
export { CANCEL_CHANNEL, EVENTS_CHANNEL, notifyEvents, READY_CHANNEL, readNotice } from "./notices.ts";
