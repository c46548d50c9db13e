import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";

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

/** The browser client: built into `dist/client`, which the server serves. */
export default defineConfig({
  root: "src/client",
  plugins: [react(), tailwindcss()],
  resolve: { conditions: ["source", ...defaultClientConditions] },
  // Small assets stay files: the content security policy allows no data URLs.
  build: { outDir: "../../dist/client", emptyOutDir: true, chunkSizeWarningLimit: 900, assetsInlineLimit: 0 },
  server: { proxy: { "/api": "http://127.0.0.1:3000" }, headers: { "content-security-policy": DEV_POLICY } },
});
