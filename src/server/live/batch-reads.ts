import DataLoader from "dataloader";

/** The longest wait for the previous read, which may be slow. */
const MAX_WAIT_MS = 20;
const MAX_KEYS = 500;

export type BatchedReads<Key, Value> = Pick<DataLoader<Key, Value, string>, "load">;

export interface BatchOptions<Key, Value> {
  /** Reads the values of all keys, in the order of the keys. An error in place of a value rejects that key alone. */
  read: (keys: readonly Key[]) => Promise<(Value | Error)[]>;
  /** Keys with the same id share a value, so the id must contain the owner. */
  idOf: (key: Key) => string;
}

/**
 * Batches the keys that arrive in one turn of the event loop, or while the previous read runs, into one read.
 * A caller never receives a result that was read before its own call. It sees every write acknowledged before that call.
 */
export function batchReads<Key, Value>({ read, idOf }: BatchOptions<Key, Value>): BatchedReads<Key, Value> {
  let previous: Promise<unknown> | undefined;
  const loader = new DataLoader<Key, Value, string>(
    async (keys) => {
      // The statement starts now. A later caller may have written in between, so it must not share this read.
      loader.clearAll();
      const reading = read(keys);
      const clear = () => {
        if (previous === settled) previous = undefined;
      };
      const settled: Promise<void> = reading.then(clear, clear);
      previous = settled;
      return reading;
    },
    {
      cacheKeyFn: idOf,
      maxBatchSize: MAX_KEYS,
      batchScheduleFn: (send) => (previous ? sendAfter(previous, send) : setImmediate(send)),
    },
  );
  return loader;
}

/** Sends when the previous read has settled, or after `MAX_WAIT_MS`. */
function sendAfter(previous: Promise<unknown>, send: () => void): void {
  let isSent = false;
  const sendOnce = () => {
    if (isSent) return;
    isSent = true;
    clearTimeout(timer);
    send();
  };
  const timer = setTimeout(sendOnce, MAX_WAIT_MS);
  void previous.then(sendOnce);
}
