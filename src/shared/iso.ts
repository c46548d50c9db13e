/** A timestamp of the database as ISO 8601 in UTC. */
export function iso(value: string | Date): string {
  return new Date(value).toISOString();
}

/** The same for a column that may be null. */
export function isoOrNull(value: string | Date | null): string | null {
  return value === null ? null : iso(value);
}
