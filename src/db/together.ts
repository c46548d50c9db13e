/**
 * Waits for all statements of a transaction that were sent together, given in the order of sending. It waits even after one
 * failed, because the transaction must not end before the others have settled.
 * @throws the error of the first statement that failed: the later statements fail only because of it.
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
