import { spawnSync } from "node:child_process";

type Namespace = "--net" | "--ipc" | "--pid";

/** True when this process may create namespaces, as root on Linux may; otherwise prints the skipped test. */
export function canUnshare(skipped: string): boolean {
  const [command = "", ...args] = inNamespaces(["--net", "--ipc", "--pid"]);
  const isPermitted = process.platform === "linux" && spawnSync(command, [...args, "true"]).status === 0;
  if (!isPermitted) process.stdout.write(`skipped, because unshare is not permitted here: ${skipped}\n`);
  return isPermitted;
}

/**
 * The prefix of a command that runs it in new namespaces, as in a container. With `--pid` the process is process 1 of its
 * namespace, and killing the command's process ends the whole namespace.
 */
export function inNamespaces(kinds: Namespace[]): string[] {
  const ownPids = kinds.includes("--pid") ? ["--fork", "--kill-child", "--mount-proc"] : [];
  const prepare = kinds.includes("--net") ? "ip link set lo up && " : "";
  return ["unshare", ...kinds, ...ownPids, "sh", "-c", `${prepare}exec "$@"`, "sh"];
}
