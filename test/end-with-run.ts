const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Calls `kill` when the run is interrupted, because a server outlives the run that started it. `kill` must be synchronous.
 * Returns a function that cancels this.
 */
export function endWithRun(kill: () => void): () => void {
  const leave = () => process.exit(130);
  process.once("exit", kill);
  for (const signal of SIGNALS) process.once(signal, leave);
  return () => {
    process.off("exit", kill);
    for (const signal of SIGNALS) process.off(signal, leave);
  };
}
