/**
 * Named points at which the crash tests end a process. In every ordinary build they do nothing: only a process that
 * runs with `--conditions=chaos` gets `armed.ts` in place of this file.
 */

/** Marks a place where a crash must lose nothing; the name says what has just been done, or is about to be. */
export function faultPoint(_name: string): void {
  // Empty: see above.
}
