import { bringUp } from "./bring-up.ts";

await bringUp({
  locate: (path) => new URL(`../${path}.js`, import.meta.url),
  // As npm run server and npm run worker have it: a young generation of the default size is 25 MB more that stay resident,
  // and the API's, which is collected in a pause, keeps its callers waiting for longer. Heaps that may grow to twice what
  // lives in them, or two and a half times, and not to four, are 10 to 35 MB less.
  execArgv: (path) =>
    path === "server/main"
      ? ["--max-semi-space-size=4", "--heap-growing-percent=100"]
      : ["--max-semi-space-size=8", "--heap-growing-percent=150"],
});
