// Faults that the checker must see: each replaces one function of the built product when the crash tests are bundled.
import { readFileSync } from "node:fs";

/** `code` stands in the place of the exported or local function `name` and may call what it replaces, `original`. */
export const MUTANTS = {
  cancel: {
    file: "dist/queue/settle/cancel.js",
    name: "cancel",
    why: "acknowledges, and does nothing",
    code: `async function cancel(tx, key) {
      const { status } = await lockJob(tx, key);
      if (status === "completed" || status === "failed") return original(tx, key);
      return status === "running" ? "running" : "cancelled";
    }`,
  },
  limits: {
    file: "dist/queue/ready/admit.js",
    name: "admit",
    why: "lets all jobs of a limited key in",
    code: `async function admit(tx, { queue, limitKey }) {
      if (limitKey === null) return;
      await tx\`update limit_keys set admit_at = null where queue = \${queue} and key = \${limitKey}\`;
      await tx\`update jobs set hold = null where queue = \${queue} and limit_key = \${limitKey} and status = 'queued' and hold = 'limit'\`;
      await notifyReady(tx, queue);
    }`,
  },
  twice: {
    file: "dist/worker/define-job.js",
    name: "wrap",
    why: "runs the handlers of jobs without a thread twice",
    code: `function wrap(handler, middleware) {
      const run = original(handler, middleware);
      return async (context) => {
        if (context.job.threadId === null) await run(context);
        return run(context);
      };
    }`,
  },
};

/** Builds the product with a mutant in it; `check` throws where its file was never bundled. */
export function plant({ file, name, code }) {
  const path = new RegExp(`[\\\\/]${file.replaceAll("/", String.raw`[\\/]`).replaceAll(".", String.raw`\.`)}$`);
  let planted = 0;
  const plugin = {
    name: "mutant",
    setup(build) {
      build.onLoad({ filter: path }, ({ path: found }) => {
        const head = new RegExp(String.raw`^(export )?((?:async )?function )${name}\(`, "m");
        const source = readFileSync(found, "utf8");
        if (!head.test(source)) throw new Error(`${file} has no function ${name}`);
        planted += 1;
        const [, exported = ""] = head.exec(source) ?? [];
        return { contents: `${source.replace(head, "$2original(")}\n${exported}${code}\n`, loader: "js" };
      });
    },
  };
  return {
    plugin,
    check: () => {
      if (planted === 0) throw new Error(`${file} is in no bundle`);
    },
  };
}
