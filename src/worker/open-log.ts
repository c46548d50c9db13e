import { pino } from "pino";
import type { DestinationStream, Logger } from "pino";
import { serializeError } from "./run/describe-error.ts";

/** Opens a worker process's log. Each line names the process and the worker; errors are redacted. */
export function openLog(
  level: string,
  names: { process: string; workerId: string },
  destination: DestinationStream = pino.destination(1),
): Logger {
  return pino({ level, base: names, serializers: { err: serializeError } }, destination);
}
