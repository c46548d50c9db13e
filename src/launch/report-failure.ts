import { DatabaseSetupError } from "#db";
import { SettingsError } from "#env";

/** Writes one line to standard error: the remedy of a known fault, or the prefix and the text of any other error. */
export function reportFailure(error: unknown, prefix: string): void {
  const isKnown = error instanceof SettingsError || error instanceof DatabaseSetupError;
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${isKnown ? text : `${prefix}: ${text}`}\n`);
}
