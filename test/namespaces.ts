import { spawnSync } from "node:child_process";

type Namespace = "--net" | "--ipc" | "--pid";

/** True when this process may make namespaces, as root on Linux may; otherwise says what is skipped. */
export function canUnshare(skipped: string): boolean {
  const [command = "", ...args] = inNamespaces(["--net", "--ipc", "--pid"]);
  const isPermitted = process.platform === "linux" && spawnSync(command, [...args, "true"]).status === 0;
  if (!isPermitted) process.stdout.write(`skipped, because unshare is not permitted here: ${skipped}\n`);
  return isPermitted;
}

/**
 * What to write before a command so that it runs in namespaces of its own, as in a container. A process that gets its
 * own `--pid` namespace is process 1 there; when the command's own process is killed, that whole namespace ends.
 */
export function inNamespaces(kinds: Namespace[]): string[] {
  const ownPids = kinds.includes("--pid") ? ["--fork", "--kill-child", "--mount-proc"] : [];
  const prepare = kinds.includes("--net") ? "ip link set lo up && " : "";
  return ["unshare", ...kinds, ...ownPids, "sh", "-c", `${prepare}exec "$@"`, "sh"];
}
