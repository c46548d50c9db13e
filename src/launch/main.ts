import { bringUp } from "./bring-up.ts";

await bringUp({
  locate: (path) => new URL(`../${path}.js`, import.meta.url),
  // As npm run server and npm run worker have it: a young generation of the default size is 25 MB more that stay resident,
  // and the API's, which is collected in a pause, keeps its callers waiting for longer. A heap that may grow to twice
  // what lives in it, not to four times, is 20 MB less.
  execArgv: (path) => [`--max-semi-space-size=${path === "server/main" ? 4 : 8}`, "--heap-growing-percent=100"],
});
