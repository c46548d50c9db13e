import { once } from "node:events";
import type { FastifyInstance } from "fastify";
import { idSchema } from "#shared/fields";
import { lastEventIdSchema } from "#shared/contracts";
import type { JobEvent } from "#shared/contracts";
import type { Callers } from "../http/callers.ts";
import { cutStalled } from "../http/cut-stalled.ts";
import type { FaultLog } from "../observe/fault-log.ts";
import type { JobFeeds } from "../live/job-feeds.ts";

export interface RestEventsOptions {
  feeds: JobFeeds;
  faults: FaultLog;
  ownerId: string;
  callers: Callers;
  stalledReaderMs: number;
}

const COMMENT_EVERY_MS = 15_000;

/**
 * `GET /api/jobs/{job_id}/events`: a job's event log as server-sent events, from the one after `Last-Event-ID` (or
 * `?last_event_id`) to the closing one, after which it ends.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function addRestEvents(
  app: FastifyInstance,
  { feeds, faults, ownerId, callers, stalledReaderMs }: RestEventsOptions,
): void {
  app.get<{ Params: { job_id: string }; Querystring: { last_event_id?: string } }>(
    "/api/jobs/:job_id/events",
    async (request, reply) => {
      const jobId = idSchema("job_id").safeParse(request.params.job_id);
      if (!jobId.success) return reply.code(404).send({ detail: "Job not found", reason: "job_id must be a UUID" });
      const given = request.headers["last-event-id"] ?? request.query.last_event_id;
      const after = lastEventIdSchema.safeParse(given);
      if (!after.success) return reply.code(422).send({ detail: "Last-Event-ID must be the number of an event" });
      const key = { ownerId, jobId: jobId.data };
      // An unknown job and an absent database are told of before the stream has begun.
      const first = await feeds.open({ ...key, after: after.data });
      const signal = callers.whenGone(reply);
      reply.hijack();
      const stream = reply.raw;
      stream.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
      });
      stream.flushHeaders();
      cutStalled(stream, stalledReaderMs);
      const comments = setInterval(() => {
        if (!stream.writableNeedDrain) stream.write(": still here\n\n");
      }, COMMENT_EVERY_MS);
      try {
        for await (const event of feeds.follow({ ...key, after: after.data, signal, first })) {
          // What comes at once goes out at once, as one.
          if (stream.writableCorked === 0) {
            stream.cork();
            setImmediate(() => stream.uncork());
          }
          // A reader that is slow to take what was written is not read for meanwhile.
          if (!stream.write(formatEvent(event))) await once(stream, "drain", { signal });
        }
      } catch (error) {
        // The stream is cut: its reader asks again, from the last event that it has.
        if (!signal.aborted) faults.report(error, request);
      } finally {
        clearInterval(comments);
        stream.end();
      }
      return reply;
    },
  );
}

/** The events that several readers get are written out once. */
const texts = new WeakMap<JobEvent, string>();

function formatEvent(event: JobEvent): string {
  const known = texts.get(event);
  if (known !== undefined) return known;
  const text = `id: ${event.seq}\nevent: ${event.type.replaceAll(/[\r\n]/g, " ")}\ndata: ${JSON.stringify(event)}\n\n`;
  texts.set(event, text);
  return text;
}
