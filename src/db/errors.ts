/** Why the database cannot serve at present. */
export type DatabaseFault =
  | "AWAY"
  | "TOO_SLOW"
  | "READ_ONLY"
  | "DISK_FULL"
  | "NO_MEMORY"
  | "NO_CONNECTION"
  | "AT_LIMIT"
  | "SYSTEM_ERROR";

/**
 * The database cannot be reached, cannot serve the request at present, or did not answer in time. The request may have
 * committed: every verb is safe to send again.
 */
export class DatabaseUnavailableError extends Error {
  override readonly name: string = "DatabaseUnavailableError";
  readonly fault: DatabaseFault;

  constructor(message: string, { fault = "AWAY", cause }: { fault?: DatabaseFault; cause?: unknown } = {}) {
    super(message, { cause });
    this.fault = fault;
  }

  /** True when the database cannot serve any request; false when it refuses this one, perhaps for good. */
  get isAbsence(): boolean {
    return ABSENCES.has(this.fault);
  }
}

const ABSENCES: ReadonlySet<DatabaseFault> = new Set(["AWAY", "READ_ONLY", "NO_CONNECTION", "DISK_FULL"]);

/**
 * The server answers other calls, but stopped this one because it took too long. The message may be shown to callers: ask
 * for less, or try again when the server has less to do.
 */
export class QueryTimeoutError extends DatabaseUnavailableError {
  override readonly name = "QueryTimeoutError";

  constructor(message: string, { cause }: { cause?: unknown } = {}) {
    super(message, { fault: "TOO_SLOW", cause });
  }
}

/** The database or its data folder cannot be used as it is. The message is one line with the setting and the remedy. */
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
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "ENOTFOUND",
  "EAI_AGAIN",
  "57P01",
  "57P02",
  "57P03",
  "57P05",
  "25006",
]);
const RETRY_CODES = new Set(["40001", "40P01", "55P03"]);
const READ_ONLY_CODE = "25006";
const STOPPED_CODE = "57014";
const PROTOCOL_VIOLATION = "08P01";

const SHORTAGES: Readonly<Record<string, [DatabaseFault, string]>> = {
  "53100": ["DISK_FULL", "The database server has no space left on its disk"],
  "53200": ["NO_MEMORY", "The database server has no memory left"],
  "53300": ["NO_CONNECTION", "The database server has no connection left"],
};
const OTHER_SHORTAGE: [DatabaseFault, string] = ["AT_LIMIT", "The database server has reached one of its limits"];
const SYSTEM_ERROR: [DatabaseFault, string] = ["SYSTEM_ERROR", "The database server could not read or write its files"];

/** The code of a driver's or server's error; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** An error of our own with a code like the driver's. */
export function codedError(code: string, message = code, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/** True when the connection is at fault and a new pool is needed (SQLSTATE class 08 and similar). */
export function isConnectionError(error: unknown): boolean {
  const code = errorCode(error);
  if (code === undefined) return false;
  // A fatal one comes from a pooler that ends the connection. Otherwise a statement of ours is wrong.
  if (code === PROTOCOL_VIOLATION) return error instanceof Error && "severity" in error && error.severity === "FATAL";
  return CONNECTION_CODES.has(code) || /^08...$/.test(code);
}

/** True when the server lacks a resource that it may have in a moment (SQLSTATE classes 53 and 58). */
export function isShortage(error: unknown): boolean {
  return /^(53|58)...$/.test(errorCode(error) ?? "");
}

/** True when the server rolled the statement back and the same pool may send it again. */
export function isTransientError(error: unknown): boolean {
  return RETRY_CODES.has(errorCode(error) ?? "") || isShortage(error);
}

/** True when the server refuses writes: it is a standby, or set to be read-only. */
export function isReadOnly(error: unknown): boolean {
  return errorCode(error) === READ_ONLY_CODE;
}

/** True when the server sent the error: the connection works. */
export function isServerError(error: unknown): boolean {
  return /^[0-9A-Z]{5}$/.test(errorCode(error) ?? "") && !isConnectionError(error);
}

/** Maps errors of the driver and the server to the errors that callers handle; returns every other error unchanged. */
export function toDatabaseError(error: unknown, statementLimitMs: number): unknown {
  if (error instanceof DatabaseUnavailableError) return error;
  const code = errorCode(error);
  if (code === undefined) return error;
  if (code === STOPPED_CODE) return queryTimeout(statementLimitMs, error);
  if (isReadOnly(error)) return readOnlyError(error);
  if (isConnectionError(error))
    return new DatabaseUnavailableError(`The database cannot be reached (${code})`, { cause: error });
  if (!isShortage(error)) return error;
  const [fault, message] = SHORTAGES[code] ?? (code.startsWith("53") ? OTHER_SHORTAGE : SYSTEM_ERROR);
  return new DatabaseUnavailableError(`${message} (${code})`, { fault, cause: error });
}

export function readOnlyError(cause?: unknown): DatabaseUnavailableError {
  const text = "The database server refuses writes: it is a standby or set to be read-only";
  return new DatabaseUnavailableError(text, { fault: "READ_ONLY", cause });
}

/** The error of a statement that was stopped or abandoned after `limitMs`. */
export function queryTimeout(limitMs: number, cause: unknown): QueryTimeoutError {
  const text = `This took the database longer than ${limitMs / 1000} s and was given up: try again shortly`;
  return new QueryTimeoutError(text, { cause });
}
