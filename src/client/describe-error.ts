import { TRPCClientError } from "@trpc/client";

/** The HTTP status of the server's response; null without a response. */
function statusOf(error: unknown): number | null {
  const data = error instanceof TRPCClientError ? (error.data as { httpStatus?: unknown } | null | undefined) : null;
  return typeof data?.httpStatus === "number" ? data.httpStatus : null;
}

/** True when no object has the id, or the id is malformed. */
export function isNotFound(error: unknown): boolean {
  const status = statusOf(error);
  return status === 404 || status === 400;
}

/** Retries a failed query twice, but never after an unknown id. */
export function retryUnlessNotFound(failureCount: number, error: unknown): boolean {
  return !isNotFound(error) && failureCount < 2;
}

/** Explains a failed request to the user in one sentence. */
export function describeError(error: unknown): string {
  const status = statusOf(error);
  if (status === null) return "The server could not be reached.";
  // A 503 carries its reason: the database lacks something, or a search took too long.
  if (status >= 500 && status !== 503) return "The server had a problem.";
  return error instanceof Error ? error.message : "The request was refused.";
}
