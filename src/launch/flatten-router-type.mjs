// Turns tsc's declarations into the type of the API for clients. It may name only the contracts and tRPC.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const SPECIFIER = /(\bfrom |\bimport\()"([^"]+)"/g;

/**
 * Writes `api/router.d.ts` and the contracts that it names, from the declarations that `tsconfig.router.json` emits.
 * @throws Error when the router's type names another module of ours.
 */
export function flattenRouterType(dist) {
  const declarations = join(dist, "declarations");
  rmSync(join(dist, "api"), { recursive: true, force: true });
  const waiting = [["server/trpc/router.ts", "router.d.ts"]];
  const written = new Set();
  for (const [source, target] of waiting) {
    if (written.has(target)) continue;
    written.add(target);
    const text = readFileSync(join(declarations, source.replace(/ts$/, "d.ts")), "utf8")
      // Clients need no type of the server's context.
      .replace('import type { Context } from "./trpc.ts";', "type Context = object;")
      .replaceAll(SPECIFIER, (whole, before, specifier) => {
        const name = /^(?:#shared\/|(?:\.\.\/)+shared\/|\.\/)([\w-]+)(?:\.ts)?$/.exec(specifier)?.[1];
        if (!/^[.#]/.test(specifier)) return whole;
        if (name === undefined || (specifier.startsWith("./") && target === "router.d.ts"))
          throw new Error(`the router's type needs ${specifier}, which clients do not get`);
        waiting.push([`shared/${name}.ts`, `shared/${name}.d.ts`]);
        return `${before}"${target === "router.d.ts" ? "./shared" : "."}/${name}.js"`;
      });
    mkdirSync(dirname(join(dist, "api", target)), { recursive: true });
    writeFileSync(join(dist, "api", target), text);
  }
  rmSync(declarations, { recursive: true });
}
