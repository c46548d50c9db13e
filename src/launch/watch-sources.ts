import { readFileSync } from "node:fs";
import type { Stats } from "node:fs";
import { basename, dirname, extname, resolve, sep } from "node:path";
import { watch } from "chokidar";

const SETTLE_MS = 100;
const CODE = /^\.([cm]?[jt]sx?|json)$/;
/** Vite reloads the page, and a restart of the processes does not reload the launcher. */
const NOT_WATCHED = ["client", "launch", "../dist"];

export interface Watched {
  /** The folder of the product's sources, without those of the page and the launcher. */
  sources: string;
  /** The `langgraph.json`, which need not exist yet. The folders of its graphs are watched as well. */
  graphsFile: string;
  /** A folder that is never watched: the embedded database writes to it. */
  dataDir: string;
}

export interface Watcher {
  /** Resolves when the watcher sees every later change. */
  ready: Promise<void>;
  close: () => Promise<void>;
}

/**
 * Calls back with the changed paths once no file has changed for 100 ms. Sees files that an editor replaces by renaming,
 * which `fs.watch` loses.
 */
export function watchSources(
  { sources, graphsFile, dataDir }: Watched,
  onChange: (paths: readonly string[]) => void,
): Watcher {
  const file = resolve(graphsFile);
  const folders = new Set([resolve(sources), ...graphFolders(file)]);
  const ignored = new Set([...NOT_WATCHED.map((name) => resolve(sources, name)), resolve(dataDir)]);
  const isIgnored = (given: string, stats?: Stats) => {
    const path = resolve(given);
    if (path === file || path === dirname(file) || folders.has(path)) return false;
    const isInside = [...folders].some((folder) => path.startsWith(folder + sep));
    if (!isInside || ignored.has(path) || /^\.|^node_modules$/.test(basename(path))) return true;
    return stats?.isFile() === true && !CODE.test(extname(path));
  };
  // The folder of `langgraph.json` is watched, because the file need not exist yet.
  const watcher = watch([dirname(file), ...folders], { ignoreInitial: true, ignored: isIgnored });
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  watcher.on("all", (event, path) => {
    if (event === "addDir" || event === "unlinkDir") return;
    if (resolve(path) === file) {
      for (const folder of graphFolders(file)) folders.add(folder);
      watcher.add([...folders]);
    }
    changed.add(resolve(path));
    clearTimeout(timer);
    timer = setTimeout(() => {
      const paths = [...changed];
      changed.clear();
      onChange(paths);
    }, SETTLE_MS);
  });
  watcher.on("error", (error) => {
    process.stderr.write(`Some changes will not be seen: ${error instanceof Error ? error.message : String(error)}\n`);
  });
  return {
    ready: new Promise((done) => {
      watcher.once("ready", () => done());
    }),
    async close() {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}

/** The folders of the modules that a `langgraph.json` names. None if it is unreadable, which the worker reports. */
function graphFolders(file: string): string[] {
  try {
    const { graphs } = JSON.parse(readFileSync(file, "utf8")) as { graphs: Record<string, string | { path: string }> };
    return Object.values(graphs).map((entry) => {
      const path = typeof entry === "string" ? entry : entry.path;
      return dirname(resolve(dirname(file), path.replace(/:[A-Za-z_$][\w$]*$/, "")));
    });
  } catch {
    return [];
  }
}
