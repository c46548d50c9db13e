import type { FastifyInstance } from "fastify";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * Refuses requests whose Host is not this machine (DNS rebinding) or whose Origin is another site's (cross-site posts).
 * @see https://fetch.spec.whatwg.org/#origin-header
 */
export function guardOrigin(app: FastifyInstance): void {
  // Callers name few hosts, and one at a time: the last good one needs no second look.
  let good: string | undefined;
  app.addHook("onRequest", (request, reply, done) => {
    const { host, origin } = request.headers;
    if (host === undefined || (host !== good && !isLoopback(host)))
      return void reply.code(403).send({ detail: "Host must be this machine: 127.0.0.1 or localhost" });
    good = host;
    if (origin !== undefined && origin !== `http://${host}`)
      return void reply.code(403).send({ detail: "Origin must be this server's own" });
    done();
    return undefined;
  });
}

function isLoopback(host: string): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  return LOOPBACK.has(new URL(`http://${host}`).hostname);
}
