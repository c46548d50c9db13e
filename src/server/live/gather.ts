import DataLoader from "dataloader";

/** How long a read waits at most for the one before it, which may be slow. */
const LONGEST_WAIT_MS = 20;
const MOST_KEYS = 500;

/** Reads that share a statement. */
export type Gathered<Key, Value> = Pick<DataLoader<Key, Value, string>, "load">;

export interface GatherOptions<Key, Value> {
  /** Reads the values of all keys, in their order; an error in place of a value is that key's alone. */
  read: (keys: readonly Key[]) => Promise<(Value | Error)[]>;
  /** What tells keys apart: who may not see the same must have another. */
  keyOf: (key: Key) => string;
}

/**
 * Gathers what is asked for in one turn of the event loop, or while the read before is under way, and reads it at once.
 * Nobody is given what was sent for before they asked: a read that begins after a write was acknowledged sees it.
 */
export function gather<Key, Value>({ read, keyOf }: GatherOptions<Key, Value>): Gathered<Key, Value> {
  let underWay: Promise<unknown> | undefined;
  const loader = new DataLoader<Key, Value, string>(
    async (keys) => {
      // From here on, who asks for one of these keys may have written what this read does not see.
      loader.clearAll();
      const reading = read(keys);
      const settled: Promise<void> = reading
        .then(
          () => undefined,
          () => undefined,
        )
        .then(() => {
          if (underWay === settled) underWay = undefined;
        });
      underWay = settled;
      return reading;
    },
    {
      cacheKeyFn: keyOf,
      maxBatchSize: MOST_KEYS,
      batchScheduleFn: (send) => (underWay ? sendAfter(underWay, send) : setImmediate(send)),
    },
  );
  return loader;
}

function sendAfter(underWay: Promise<unknown>, send: () => void): void {
  let sent = false;
  const sendOnce = () => {
    if (sent) return;
    sent = true;
    clearTimeout(timer);
    send();
  };
  const timer = setTimeout(sendOnce, LONGEST_WAIT_MS);
  void underWay.then(sendOnce);
}
