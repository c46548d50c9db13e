import { getThread } from "#conversation";
import { NotFoundError } from "#queue";
import type { Database } from "#queue";
import type { Thread } from "#shared/contracts";
import { exportPayloadSchema, EXPORT_JOB_TYPE } from "#shared/job-types";
import type { ExportPayload, ExportResult } from "#shared/job-types";
import { defineJob } from "../define-job.ts";
import type { JobType } from "../define-job.ts";
import { PermanentError } from "../errors.ts";

/** The job type that exports one of its owner's conversations; its result is the document. */
export function exportThread(db: Database): JobType<ExportPayload> {
  return defineJob<ExportPayload>({
    type: EXPORT_JOB_TYPE,
    payload: exportPayloadSchema,
    retry: { maxRetries: 5 },
    timeoutMs: 60_000,
    async run({ job, payload, signal, progress, persist }) {
      progress("reading");
      const { ownerId } = job;
      const thread = await persist(() =>
        db.call((sql) => getThread(sql, { ownerId, threadId: payload.threadId })),
      ).catch((error: unknown) => {
        throw error instanceof NotFoundError
          ? new PermanentError(`threadId ${payload.threadId}: ${error.message}`)
          : error;
      });
      signal.throwIfAborted();
      return { result: writeDocument(thread, payload.format) };
    },
  });
}

/** Writes a conversation as one document. */
export function writeDocument(thread: Thread, format: ExportPayload["format"]): ExportResult {
  const name =
    thread.title
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-")
      .replaceAll(/^-|-$/g, "") || "thread";
  if (format === "json") {
    const { threadId, title, messages } = thread;
    const content = JSON.stringify({ threadId, title, messages }, null, 2);
    return { filename: `${name}.json`, mediaType: "application/json", content };
  }
  const parts = thread.messages.map(
    ({ role, content }) => `**${role[0]?.toUpperCase()}${role.slice(1)}**\n\n${content}`,
  );
  const document = `${[`# ${thread.title}`, ...parts].join("\n\n")}\n`;
  return { filename: `${name}.md`, mediaType: "text/markdown", content: document };
}
