import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";
import type { Plugin } from "vite";

const BUILT = fileURLToPath(new URL("dist/client/", import.meta.url));
const COMPRESSIBLE = /\.(?:html|js|css|svg)$/;

/** Under `npm run dev`: as the server's own policy, but Vite adds inline scripts and has a web socket. */
const DEV_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self' ws:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Writes each file of the page a second and a third time, compressed; the server sends what the browser takes. */
function precompress(): Plugin {
  return {
    name: "precompress",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(BUILT, { recursive: true, encoding: "utf8" })) {
        if (!COMPRESSIBLE.test(name)) continue;
        const content = readFileSync(BUILT + name);
        writeFileSync(`${BUILT}${name}.br`, brotliCompressSync(content));
        writeFileSync(`${BUILT}${name}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

/** The browser client: built into `dist/client`, which the server serves. */
export default defineConfig({
  root: "src/client",
  plugins: [react(), tailwindcss(), precompress()],
  resolve: { conditions: ["source", ...defaultClientConditions] },
  // Small assets stay files: the content security policy allows no data URLs.
  build: { outDir: "../../dist/client", emptyOutDir: true, chunkSizeWarningLimit: 900, assetsInlineLimit: 0 },
  server: { proxy: { "/api": "http://127.0.0.1:3000" }, headers: { "content-security-policy": DEV_POLICY } },
});
