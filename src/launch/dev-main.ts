/** The main module of `npm run dev`: Vite serves the page, and changed sources restart the other processes. */
import { fileURLToPath } from "node:url";
import { createServer } from "vite";
import { bringUp } from "./bring-up.ts";
import { watchSources } from "./watch-sources.ts";

const SOURCES = fileURLToPath(new URL("../", import.meta.url));
const VITE_CONFIG = fileURLToPath(new URL("../../vite.config.ts", import.meta.url));
const API_PATHS = ["/api", "/healthz", "/readyz", "/metrics"];

await bringUp({
  locate: (name) => new URL(`../${name}/main.ts`, import.meta.url),
  execArgv: () => ["--conditions=source", "--import", "tsx"],
  async openFront({ settings, apiPort }) {
    const host = settings.HOST === "::1" ? "[::1]" : settings.HOST;
    // Keeps the browser's Host header: the API's guard compares it with the Origin.
    const proxied = { target: `http://${host}:${apiPort}`, changeOrigin: false };
    const vite = await createServer({
      configFile: VITE_CONFIG,
      logLevel: "warn",
      clearScreen: false,
      server: {
        host: settings.HOST,
        port: settings.PORT,
        strictPort: true,
        proxy: Object.fromEntries(API_PATHS.map((path) => [path, proxied])),
      },
    });
    await vite.listen();
    return vite;
  },
  watch({ LANGGRAPH_CONFIG, DATA_DIR }, onChange) {
    const graphsFile = LANGGRAPH_CONFIG ?? "langgraph.json";
    return watchSources({ sources: SOURCES, graphsFile, dataDir: DATA_DIR }, onChange);
  },
});
