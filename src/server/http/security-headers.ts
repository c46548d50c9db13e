import type { FastifyInstance } from "fastify";
import helmet from "helmet";

/**
 * What the page may load: scripts, images and connections from this server only. Radix adds style elements at run time,
 * so inline styles are allowed; inline scripts are not.
 */
const PAGE_POLICY = {
  "default-src": ["'none'"],
  "script-src": ["'self'"],
  "style-src": ["'self'", "'unsafe-inline'"],
  "img-src": ["'self'"],
  "font-src": ["'self'"],
  "connect-src": ["'self'"],
  "manifest-src": ["'self'"],
  "form-action": ["'self'"],
  "base-uri": ["'none'"],
  "frame-ancestors": ["'none'"],
};

/**
 * Adds security headers to every answer, event streams included. Answers that name no caching of their own are `no-store`:
 * they hold conversations.
 * @see https://helmetjs.github.io
 */
export function addSecurityHeaders(app: FastifyInstance): void {
  // Built once. @fastify/helmet builds its middleware again for every request.
  const setHeaders = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: PAGE_POLICY },
    referrerPolicy: { policy: "same-origin" },
    xFrameOptions: { action: "deny" },
    // The server speaks plain HTTP on loopback.
    strictTransportSecurity: false,
    // Headers for browsers that are no longer in use.
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
    xPoweredBy: false,
  });
  app.addHook("onRequest", (request, reply, done) => {
    // On the raw response, so that hijacked event streams have them too.
    setHeaders(request.raw, reply.raw, () => done());
  });
  app.addHook("onSend", (_request, reply, ...[, done]) => {
    if (!reply.hasHeader("cache-control")) void reply.header("cache-control", "no-store");
    done();
  });
}
