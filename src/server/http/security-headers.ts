import type { FastifyInstance } from "fastify";
import helmet from "helmet";

/**
 * The page may load scripts, images and connections from this server only. Inline scripts are refused. Inline styles are
 * allowed because Radix adds style elements at run time.
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
 * Adds security headers to every response, including event streams. A response without a cache header gets `no-store`,
 * because it may contain a conversation.
 * @see https://helmetjs.github.io
 */
export function addSecurityHeaders(app: FastifyInstance): void {
  // Used directly and built once: @fastify/helmet builds its middleware again for every request.
  const setHeaders = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: PAGE_POLICY },
    referrerPolicy: { policy: "same-origin" },
    xFrameOptions: { action: "deny" },
    // The server speaks plain HTTP on loopback.
    strictTransportSecurity: false,
    // Obsolete headers, and a header that Fastify never sends.
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
    xPoweredBy: false,
  });
  app.addHook("onRequest", (request, reply, done) => {
    // The raw response: hijacked event streams bypass the headers of `reply`.
    setHeaders(request.raw, reply.raw, () => done());
  });
  app.addHook("onSend", (_request, reply, ...[, done]) => {
    if (!reply.hasHeader("cache-control")) void reply.header("cache-control", "no-store");
    done();
  });
}
