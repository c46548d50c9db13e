/** Reads PostgreSQL URLs, which may list several hosts, for the check of the settings and for connections. */

/** The address of one server. */
export interface Host {
  host: string;
  port: number;
}

export interface NamedHost extends Host {
  /** The URL with this host alone, without `target_session_attrs`. */
  url: string;
}

/** The hosts of a database URL, in the order in which they are tried. */
export interface HostList {
  /** A URL without a host has one entry with an empty name; the driver then uses its default. */
  hosts: readonly [NamedHost, ...NamedHost[]];
  /** True when servers that refuse writes are skipped (`target_session_attrs`; the default of a list is `read-write`). */
  mustWrite: boolean;
}

const DEFAULT_PORT = 5432;
const PARTS = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^@/?#]*)(.*)$/s;
const TARGETS = new Set(["any", "read-write", "primary"]);

/**
 * Reads a URL such as `postgres://user:password@one:5432,two:5433/database?target_session_attrs=read-write`.
 * @throws TypeError with the rule for URLs; the message holds no part of the URL, which may contain a password.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
 */
export function readHosts(url: string): HostList {
  const [, scheme, user = "", list = "", rest = ""] = PARTS.exec(url) ?? [];
  const names = list.split(",");
  const [first = "", ...others] = names.map((name) => `${scheme}${user}${name}${rest}`);
  const isList = others.length > 0;
  const isComplete = scheme !== undefined && `${list}${rest}` !== "" && !(isList && names.includes(""));
  if (!isComplete || ![first, ...others].every((one) => URL.canParse(one)))
    throw new TypeError(
      "must be a URL like postgres://user:password@host:5432/database, or with several hosts host1:5432,host2:5432",
    );
  const target = new URL(first).searchParams.get("target_session_attrs") ?? (isList ? "read-write" : "any");
  if (!TARGETS.has(target))
    throw new TypeError("must have any, read-write or primary for target_session_attrs: Threadmill writes");
  return { hosts: [readHost(first), ...others.map(readHost)], mustWrite: target !== "any" };
}

function readHost(url: string): NamedHost {
  const one = new URL(url);
  one.searchParams.delete("target_session_attrs");
  // Only a URL puts brackets around an IPv6 address.
  const host = decodeURIComponent(one.hostname).replace(/^\[(.*)\]$/, "$1");
  return { host, port: one.port === "" ? DEFAULT_PORT : Number(one.port), url: one.href };
}
