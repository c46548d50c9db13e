import { once } from "node:events";
import type { FastifyInstance } from "fastify";
import { idSchema } from "#shared/fields";
import { lastEventIdSchema } from "#shared/contracts";
import type { JobEvent } from "#shared/contracts";
import { cutStalled } from "../http/cut-stalled.ts";
import type { Services } from "../services.ts";
import { MALFORMED_JOB_ID } from "./rest.ts";

const COMMENT_EVERY_MS = 15_000;

/**
 * Adds `GET /api/jobs/{job_id}/events`: a job's events as server-sent events. The stream begins after `Last-Event-ID`
 * (or `?last_event_id`) and ends after the closing event.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function addRestEvents(app: FastifyInstance, services: Services): void {
  const { feeds, errors, ownerId, callers, stalledReaderMs } = services;
  app.get<{ Params: { job_id: string }; Querystring: { last_event_id?: string } }>(
    "/api/jobs/:job_id/events",
    async (request, reply) => {
      const jobId = idSchema("job_id").safeParse(request.params.job_id);
      if (!jobId.success) return reply.code(404).send(MALFORMED_JOB_ID);
      const given = request.headers["last-event-id"] ?? request.query.last_event_id;
      const after = lastEventIdSchema.safeParse(given);
      if (!after.success) return reply.code(422).send({ detail: "Last-Event-ID must be the number of an event" });
      const key = { ownerId, jobId: jobId.data };
      // Before the stream begins, an unknown job or an unreachable database can still get its HTTP status.
      const first = await feeds.open({ ...key, after: after.data });
      const signal = callers.signalFor(reply);
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
          // Events of one event loop iteration share a packet.
          if (stream.writableCorked === 0) {
            stream.cork();
            setImmediate(() => stream.uncork());
          }
          // Backpressure: the next page is read only when the reader has taken this one.
          if (!stream.write(formatEvent(event))) await once(stream, "drain", { signal });
        }
      } catch (error) {
        // The stream ends early, and the reader reconnects with its last event number.
        if (!signal.aborted) errors.report(error, request);
      } finally {
        clearInterval(comments);
        stream.end();
      }
      return reply;
    },
  );
}

/** All readers of a job receive the same event objects, so each event is formatted once. */
const texts = new WeakMap<JobEvent, string>();

function formatEvent(event: JobEvent): string {
  const known = texts.get(event);
  if (known !== undefined) return known;
  const text = `id: ${event.seq}\nevent: ${event.type.replaceAll(/[\r\n]/g, " ")}\ndata: ${JSON.stringify(event)}\n\n`;
  texts.set(event, text);
  return text;
}
