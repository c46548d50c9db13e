/** Work has not settled by its deadline. The work continues. */
export class DeadlineMissedError extends Error {
  override readonly name = "DeadlineMissedError";
}

/**
 * Waits for work until the deadline, in milliseconds.
 * @throws DeadlineMissedError when it has not settled by then.
 */
export async function withDeadline<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DeadlineMissedError(`no answer within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
