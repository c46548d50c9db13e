/** A timestamp of the database as ISO 8601 in UTC. */
export function iso(value: string | Date): string {
  return new Date(value).toISOString();
}

/** Like `iso`, for a nullable column. */
export function isoOrNull(value: string | Date | null): string | null {
  return value === null ? null : iso(value);
}
