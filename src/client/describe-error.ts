import { TRPCClientError } from "@trpc/client";

/** The HTTP status the server answered with; null when no answer came. */
function answeredStatus(error: unknown): number | null {
  if (!(error instanceof TRPCClientError)) return null;
  const data: unknown = error.data;
  if (typeof data !== "object" || data === null || !("httpStatus" in data)) return null;
  return typeof data.httpStatus === "number" ? data.httpStatus : null;
}

/** True when the server says that what was asked for by its id does not exist, or that the id cannot be one. */
export function isNotFound(error: unknown): boolean {
  const status = answeredStatus(error);
  return status === 404 || status === 400;
}

/** The first sentence of zod's issues where the message is their JSON; the message itself otherwise. */
function firstIssue(message: string): string {
  if (!message.startsWith("[")) return message;
  try {
    const issues: unknown = JSON.parse(message);
    const first: unknown = Array.isArray(issues) ? issues[0] : null;
    if (typeof first === "object" && first !== null && "message" in first) return String(first.message);
  } catch {
    // Not JSON after all: shown as it is.
  }
  return message;
}

/** One sentence for a person about why a request failed. */
export function describeError(error: unknown): string {
  const status = answeredStatus(error);
  if (status === null) return "The server could not be reached.";
  // The server says what its database lacks, or that a search took too long.
  if (status >= 500 && status !== 503) return "The server had a problem.";
  return error instanceof Error ? firstIssue(error.message) : "The request was refused.";
}
