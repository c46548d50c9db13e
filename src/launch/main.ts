import { bringUp } from "./bring-up.ts";

await bringUp({
  locate: (path) => new URL(`../${path}.js`, import.meta.url),
  execArgv: [],
});
