// Bugs that the checker must find. Each replaces one function of the built product while it is bundled.
import { readFileSync } from "node:fs";

/** `code` replaces the function `name` of `file`, and may call the replaced function as `original`. */
export const MUTANTS = {
  cancel: {
    file: "dist/queue/settle/cancel.js",
    name: "cancel",
    bug: "acknowledges a cancel and does nothing",
    code: `async function cancel(tx, key) {
      const { status } = await lockJob(tx, key);
      if (status === "completed" || status === "failed") return original(tx, key);
      return status === "running" ? "running" : "cancelled";
    }`,
  },
  limits: {
    file: "dist/queue/ready/admit.js",
    name: "admit",
    bug: "admits all jobs of a limit key",
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
    bug: "runs the handlers of jobs without a thread twice",
    code: `function wrap(handler, middleware) {
      const run = original(handler, middleware);
      return async (context) => {
        if (context.job.threadId === null) await run(context);
        return run(context);
      };
    }`,
  },
};

/** Creates the esbuild plugin of a mutant. `check` throws when its file was not bundled. */
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
