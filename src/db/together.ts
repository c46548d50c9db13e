/**
 * Waits for statements of a transaction that were sent together: for each of them, for none may be sent once the
 * transaction is over. Give them in the order in which they were sent.
 * @throws what the first of them threw: what follows it in the transaction only fails because of it.
 */
export async function together<T extends readonly unknown[] | []>(
  sent: T,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  const values: unknown[] = [];
  for (const one of await Promise.allSettled(sent)) {
    if (one.status === "rejected") throw one.reason;
    values.push(one.value);
  }
  return values as { -readonly [Index in keyof T]: Awaited<T[Index]> };
}
