import { getJob } from "#queue/read";
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database, startEmbeddedPostgres } from "#db";
import type { EmbeddedPostgres } from "#db";
import { drain, runInline } from "#worker";
import type { JobHandler } from "#worker";
import { readSnippets, ROOT } from "./snippets.ts";
import { build, endAll, freePort, makeFolder, run } from "./start-process.ts";
import { startReady } from "./start-ready.ts";

const TSC = join(ROOT, "node_modules/typescript/bin/tsc");
const snippets = ["README.md", "docs/graphs.md"].flatMap(readSnippets);
const ofKind = (kind: string) => snippets.filter((snippet) => snippet.kind === kind);
const exec = promisify(execFile);
/** Runs a program. Rejects with its output unless it exits with 0. */
const execute = async (file: string, args: string[], options: { cwd: string; env?: NodeJS.ProcessEnv }) =>
  exec(file, args, options).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${file} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  });

let postgres: EmbeddedPostgres;
let settings: { DATABASE_URL: string; PORT: string; LANGGRAPH_CONFIG: string };

beforeAll(async () => {
  await build();
  postgres = await startEmbeddedPostgres({ dataDir: makeFolder() });
  settings = {
    DATABASE_URL: postgres.url,
    PORT: await freePort(),
    LANGGRAPH_CONFIG: join(ROOT, "examples/langgraph.json"),
  };
  await run("migrate", settings).ended;
});
afterAll(async () => {
  await endAll({ keepFolders: true });
  await postgres.stop();
  await endAll();
});

test("every snippet of the documents runs here or in the tests of the launcher", () => {
  expect(ofKind("unknown").map(({ text }) => text)).toEqual([]);
  for (const kind of ["client", "source", "curl", "json"]) expect(ofKind(kind), kind).not.toEqual([]);
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object };
  // The launch, npm and dev tests run these commands and check the ready line.
  for (const script of ofKind("commands").flatMap((snippet) => snippet.scripts))
    if (script !== "ci") expect(scripts).toHaveProperty(script);
  for (const { text } of ofKind("json"))
    expect(JSON.parse(text)).toMatchObject({
      graphs: { support: expect.stringMatching(/^\.\/.*\.ts:\w+$/) as string },
    });
});

test("the documented job type compiles in a checkout, is enqueued by its script, and runs", async () => {
  const checkout = makeCheckout();
  const files = ofKind("source");
  for (const { path, text } of files) writeFileSync(join(checkout, path), text);
  const include = [...files.map(({ path }) => path), join(ROOT, "src/**/*.d.ts")];
  const config = { extends: join(ROOT, "tsconfig.json"), include };
  writeFileSync(join(checkout, "tsconfig.snippets.json"), JSON.stringify(config));
  await execute(process.execPath, [TSC, "-p", "tsconfig.snippets.json"], { cwd: checkout });

  const handlers = readFileSync(join(ROOT, "src/worker/assemble.ts"), "utf8");
  expect(handlers).toMatch(/^ {4}handlers: \[$/m);
  const { greet } = (await import(pathToFileURL(join(checkout, "src/worker/jobs/greet.ts")).href)) as {
    greet: JobHandler;
  };
  expect(await runInline(greet, { name: "Bo" })).toEqual({ result: { text: "Hello Bo" } });

  const [, line = ""] = /^\/\/ Run it with: node (.*)$/m.exec(files.at(-1)?.text ?? "") ?? [];
  const env = { ...process.env, DATABASE_URL: settings.DATABASE_URL };
  await execute(process.execPath, line.split(" "), { cwd: checkout, env });
  const db = new Database({ url: settings.DATABASE_URL });
  const [ran, ...more] = await drain({ db, handlers: [greet] });
  expect(more).toEqual([]);
  const job = await getJob(db.sql, { ownerId: "local", jobId: ran?.jobId ?? "" });
  expect(job).toMatchObject({ jobType: "greet", status: "completed", result: { text: "Hello Ada" }, maxRetries: 5 });
  await db.close();
});

test("the documented clients compile in a separate project, write no other files, and work", async () => {
  const sources = () => readdirSync(join(ROOT, "src"), { recursive: true }) as string[];
  const before = sources();
  const folder = makeFolder();
  const consumer = join(folder, "consumer");
  mkdirSync(consumer);
  symlinkSync(ROOT, join(folder, "threadmill"));
  symlinkSync(join(ROOT, "node_modules"), join(consumer, "node_modules"));
  writeFileSync(join(consumer, "package.json"), '{ "type": "module" }');
  const documented = { strict: true, module: "nodenext", skipLibCheck: true };
  // Without noEmitOnError, a failure of this test could write into src/.
  const compilerOptions = { ...documented, outDir: "out", rootDir: ".", noEmitOnError: true };
  writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const local = (text: string) => text.replaceAll("127.0.0.1:3000", `127.0.0.1:${settings.PORT}`);
  const clients = ofKind("client").map(({ text }, index) => ({ name: `client-${index}`, text: local(text) }));
  for (const { name, text } of clients) writeFileSync(join(consumer, `${name}.ts`), text);
  // If the types were `any`, this wrong field would compile.
  const wrong = clients.map(({ text }) => text.replace("jobId", "noSuchField"))[0] ?? "";
  await execute(process.execPath, [TSC, "-p", "."], { cwd: consumer });
  expect(readdirSync(join(consumer, "out"))).toEqual(clients.map(({ name }) => `${name}.js`));
  expect(sources()).toEqual(before);
  writeFileSync(join(consumer, "wrong.ts"), wrong);
  await expect(execute(process.execPath, [TSC, "-p", "."], { cwd: consumer })).rejects.toThrow(/'noSuchField'/);

  const product = await startReady(settings);
  const origin = `http://127.0.0.1:${settings.PORT}`;
  const jobs = async () => {
    const response = await fetch(`${origin}/api/trpc/jobs.list`);
    const { result } = (await response.json()) as { result: { data: { jobs: { jobType: string; status: string }[] } } };
    return result.data.jobs.map(({ jobType, status }) => `${jobType} ${status}`).toSorted();
  };
  for (const { name } of clients) await execute(process.execPath, [`out/${name}.js`], { cwd: consumer });
  const ended = ["graph:purchase completed", "ml_workflow completed"];
  await expect.poll(jobs, { timeout: 60_000 }).toEqual(expect.arrayContaining(ended));

  if (spawnSync("curl", ["--version"]).status === 0)
    for (const { text } of ofKind("curl")) {
      const { stdout } = await execute("sh", ["-c", local(text)], { cwd: consumer });
      expect(JSON.parse(stdout)).toMatchObject({ messages: [{ role: "user" }, { role: "assistant" }] });
    }
  product.signal("SIGTERM");
  expect(await product.ended).toEqual({ code: 0, signal: null });
  const runLines = product
    .stderr()
    .split("\n")
    .filter((line) => line.includes('"workerId":'));
  expect(runLines).not.toEqual([]);
  for (const line of runLines) expect(line.split('"workerId":')).toHaveLength(2);
});

/** A folder that looks like a checkout, made of links, in which files can be added to `src/worker/jobs/`. */
function makeCheckout(): string {
  const checkout = makeFolder();
  const own = ["src", "src/worker", "src/worker/jobs"];
  for (const folder of ["", ...own]) {
    mkdirSync(join(checkout, folder), { recursive: true });
    for (const name of readdirSync(join(ROOT, folder)))
      if (!own.includes(join(folder, name))) symlinkSync(join(ROOT, folder, name), join(checkout, folder, name));
  }
  return checkout;
}
