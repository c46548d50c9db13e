import { pino } from "pino";
import type { DestinationStream, Logger } from "pino";
import { serializeError } from "./run/describe-error.ts";

/** The log of a worker's process: each line names the process and the worker once, and shows no secret of an `err`. */
export function openLog(
  level: string,
  names: { process: string; workerId: string },
  destination: DestinationStream = pino.destination(1),
): Logger {
  return pino({ level, base: names, serializers: { err: serializeError } }, destination);
}
