/** The database cannot be reached, or did not answer in time. What was sent may or may not have been done: send it again. */
export class DatabaseUnavailableError extends Error {
  override readonly name = "DatabaseUnavailableError";
}

/** The database named by DATABASE_URL cannot be used as it is; the message is one line with the remedy. */
export class DatabaseSetupError extends Error {
  override readonly name = "DatabaseSetupError";
}

const CONNECTION_CODES = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "57P01",
  "57P02",
  "57P03",
  "57P05",
  "25006",
]);
const RETRY_CODES = new Set(["40001", "40P01", "55P03", "53300"]);

/** The code a driver or server error carries; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** True when the connection is at fault, so that a new pool is needed (SQLSTATE class 08 and the like). */
export function isConnectionError(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && (CONNECTION_CODES.has(code) || /^08(?!P01)...$/.test(code));
}

/** True when the server undid the statement and the same pool may send it again. */
export function isTransientError(error: unknown): boolean {
  return RETRY_CODES.has(errorCode(error) ?? "");
}
