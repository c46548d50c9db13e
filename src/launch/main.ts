/**
 * `launch/` brings up the product on one machine: database, API and workers as supervised processes. It owns their start,
 * restart and end. It must not know jobs, graphs or HTTP routes. Invariant: no process outlives the launcher.
 */
import { bringUp } from "./bring-up.ts";
import { nodeFlags } from "./node-flags.ts";

await bringUp({
  locate: (name) => new URL(`../${name}/main.js`, import.meta.url),
  execArgv: nodeFlags,
});
