import type { FastifyInstance } from "fastify";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * Refuses requests whose Host is not this machine (DNS rebinding) or whose Origin is another site's (cross-site posts).
 * @see https://fetch.spec.whatwg.org/#origin-header
 */
export function guardOrigin(app: FastifyInstance): void {
  app.addHook("onRequest", async (request, reply) => {
    const { host, origin } = request.headers;
    if (!isLoopback(host)) return reply.code(403).send({ detail: "Host must be this machine: 127.0.0.1 or localhost" });
    if (origin !== undefined && origin !== `http://${host}`)
      return reply.code(403).send({ detail: "Origin must be this server's own" });
    return undefined;
  });
}

function isLoopback(host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(`http://${host}`)) return false;
  return LOOPBACK.has(new URL(`http://${host}`).hostname);
}
