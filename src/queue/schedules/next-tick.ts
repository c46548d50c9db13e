import { InvalidScheduleError } from "../errors.ts";
import { Cron } from "croner";

/**
 * The first tick of a cron line after a time, both ISO 8601 in UTC; null when it never ticks again. A tick that a zone's
 * clocks skip comes at the end of the gap. A tick that they repeat comes once.
 * @param cron five fields (minute to day of week), six with seconds first, or a nickname such as `@daily`.
 * @param timeZone an IANA name such as `Europe/Berlin`.
 * @throws InvalidScheduleError naming `cron` or `timeZone`.
 * @see https://www.man7.org/linux/man-pages/man5/crontab.5.html
 */
export function nextTick(cron: string, timeZone: string, after: string): string | null {
  const pattern = openPattern(cron, timeZone);
  return pattern.nextRun(new Date(after))?.toISOString() ?? null;
}

function openPattern(cron: string, timeZone: string): Cron {
  if (!isTimeZone(timeZone)) {
    throw new InvalidScheduleError(
      `timeZone ${JSON.stringify(timeZone)} is unknown: use an IANA name such as Europe/Berlin`,
    );
  }
  const fields = cron.trim().split(/\s+/);
  if (!(/^@[a-z]+$/i.test(cron.trim()) || fields.length === 5 || fields.length === 6)) {
    throw new InvalidScheduleError(
      "cron must have five fields (minute, hour, day, month, weekday), or six with seconds first",
    );
  }
  try {
    return new Cron(cron.trim(), { timezone: timeZone, paused: true });
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : "it cannot be read";
    throw new InvalidScheduleError(`cron does not parse: ${why}`, { cause: error });
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).format() !== "";
  } catch {
    return false;
  }
}
