const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Calls back when the run is interrupted, with no time to wait for anything: a server outlives the run that started it.
 * Returns a function that takes this back.
 */
export function endWithRun(abandon: () => void): () => void {
  const leave = () => process.exit(130);
  process.once("exit", abandon);
  for (const signal of SIGNALS) process.once(signal, leave);
  return () => {
    process.off("exit", abandon);
    for (const signal of SIGNALS) process.off(signal, leave);
  };
}
