import { readdirSync, watch } from "node:fs";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";
import { bringUp } from "./bring-up.ts";

const SETTLE_MS = 100;
const SOURCES = fileURLToPath(new URL("../", import.meta.url));
const VITE_CONFIG = fileURLToPath(new URL("../../vite.config.ts", import.meta.url));
const API_PATHS = ["/api", "/healthz", "/readyz", "/metrics"];

await bringUp({
  locate: (path) => new URL(`../${path}.ts`, import.meta.url),
  execArgv: () => ["--conditions=source", "--import", "tsx"],
  async openFront({ settings, apiPort }) {
    const host = settings.HOST === "::1" ? "[::1]" : settings.HOST;
    // The browser's own Host header goes on to the API, whose guard compares it with the Origin.
    const target = { target: `http://${host}:${apiPort}`, changeOrigin: false };
    const vite = await createServer({
      configFile: VITE_CONFIG,
      logLevel: "warn",
      clearScreen: false,
      server: {
        host: settings.HOST,
        port: settings.PORT,
        strictPort: true,
        proxy: Object.fromEntries(API_PATHS.map((path) => [path, target])),
      },
    });
    await vite.listen();
    return vite;
  },
  watch: (onChange) => watchSources(onChange),
});

/** Sources of the page are vite's; those of the launcher take a start by hand. */
function watchSources(onChange: () => void): { close: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const onFile = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, SETTLE_MS);
  };
  const watchers = readdirSync(SOURCES, { withFileTypes: true })
    .filter(({ name }) => name !== "client" && name !== "launch")
    .map((entry) => watch(`${SOURCES}${entry.name}`, { recursive: entry.isDirectory() }, onFile));
  return {
    close() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
