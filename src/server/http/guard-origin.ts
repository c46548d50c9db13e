import type { FastifyInstance, FastifyRequest } from "fastify";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);
/** The API and the operators' endpoints. Every other path is a page. */
const MACHINE_PATH = /^\/(?:api|metrics|healthz|readyz)(?:[/?]|$)/;

/**
 * Refuses three kinds of requests: a Host other than this machine (DNS rebinding), an Origin of another site (cross-site
 * posts), and a fetch by another site's page (cross-site reads). A link from another site to a page still works.
 * @see https://fetch.spec.whatwg.org/#origin-header
 * @see https://w3c.github.io/webappsec-fetch-metadata/
 */
export function guardOrigin(app: FastifyInstance): void {
  // Almost all requests name the same host. The cached host needs no parsing.
  let allowedHost: string | undefined;
  app.addHook("onRequest", (request, reply, done) => {
    const { host, origin } = request.headers;
    if (host === undefined || (host !== allowedHost && !isLoopback(host)))
      return void reply.code(403).send({ detail: "Host must be this machine: 127.0.0.1 or localhost" });
    allowedHost = host;
    if (origin !== undefined && origin !== `http://${host}`)
      return void reply.code(403).send({ detail: "Origin must be this server's own" });
    if (isForeign(request))
      return void reply
        .code(403)
        .send({ detail: "Sec-Fetch-Site must be same-origin or none: another site sent this request" });
    done();
    return undefined;
  });
}

/** True for a request from a page of another origin, unless the browser opens one of our pages in a tab. */
function isForeign({ method, url, headers }: FastifyRequest): boolean {
  const site = headers["sec-fetch-site"];
  if (site === undefined || site === "same-origin" || site === "none") return false;
  const opensPage =
    method === "GET" &&
    headers["sec-fetch-mode"] === "navigate" &&
    headers["sec-fetch-dest"] === "document" &&
    !MACHINE_PATH.test(url);
  return !opensPage;
}

function isLoopback(host: string): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  return LOOPBACK.has(new URL(`http://${host}`).hostname);
}
