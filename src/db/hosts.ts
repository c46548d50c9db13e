/** Where one server of a host list listens. */
export interface Host {
  host: string;
  port: number;
}

/** A database URL taken apart: one URL for the driver, and the hosts to try in its place. */
export interface HostList {
  /** The URL with its first host alone, without `target_session_attrs`. */
  url: string;
  /** At least one; a URL that names no host has one that is empty, which the driver fills in. */
  hosts: readonly Host[];
  /** Whether a server that refuses writes is passed over: `target_session_attrs`, for a list `read-write` unless given. */
  mustWrite: boolean;
}

const DEFAULT_PORT = 5432;
const PARTS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^@/?#]*)(.*)$/s;

/**
 * Reads a URL such as `postgres://user:password@one:5432,two:5433/database?target_session_attrs=read-write`.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
 */
export function readHosts(url: string): HostList {
  const [, scheme = "", user = "", list = "", rest = ""] = PARTS.exec(url) ?? [];
  const hosts = list.split(",");
  const first = new URL(`${scheme}${user}${hosts[0] ?? ""}${rest}`);
  const wanted = first.searchParams.get("target_session_attrs") ?? (hosts.length > 1 ? "read-write" : "any");
  first.searchParams.delete("target_session_attrs");
  return { url: first.href, hosts: hosts.map((host) => readHost(`${scheme}${host}`)), mustWrite: wanted !== "any" };
}

function readHost(url: string): Host {
  const { hostname, port } = new URL(url);
  // An IPv6 address has brackets in a URL alone.
  const host = decodeURIComponent(hostname).replace(/^\[(.*)\]$/, "$1");
  return { host, port: port === "" ? DEFAULT_PORT : Number(port) };
}
