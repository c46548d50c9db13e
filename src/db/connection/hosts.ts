/** Where one server of a host list listens. */
export interface Host {
  host: string;
  port: number;
}

export interface NamedHost extends Host {
  /** The URL with this host alone, without `target_session_attrs`. */
  url: string;
}

/** The hosts of a database URL, to be tried in turn. */
export interface HostList {
  /** At least one; a URL that names no host has one that is empty, which the driver fills in. */
  hosts: readonly [NamedHost, ...NamedHost[]];
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
  const [first = "", ...others] = list.split(",").map((host) => `${scheme}${user}${host}${rest}`);
  const wanted = new URL(first).searchParams.get("target_session_attrs") ?? (others.length > 0 ? "read-write" : "any");
  return { hosts: [readHost(first), ...others.map(readHost)], mustWrite: wanted !== "any" };
}

function readHost(url: string): NamedHost {
  const one = new URL(url);
  one.searchParams.delete("target_session_attrs");
  // An IPv6 address has brackets in a URL alone.
  const host = decodeURIComponent(one.hostname).replace(/^\[(.*)\]$/, "$1");
  return { host, port: one.port === "" ? DEFAULT_PORT : Number(one.port), url: one.href };
}
