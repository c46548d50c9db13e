import { InvalidAnswerError } from "#queue";
import { Worker } from "node:worker_threads";

/** An answer and the JSON Schema that it must fit; null takes any JSON value. */
export interface AnswerCheck {
  interruptId: string;
  schema: unknown;
  value: unknown;
}

/** How much of a processor a check may take, in milliseconds, and how long at most on a machine that is busy otherwise. */
const LIMIT_MS = 250;
const LONGEST_MS = 10_000;
const LOOK_MS = 50;
const MEMORY = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

/**
 * The program of the thread, as text: a thread does not inherit the loader that runs this file from its source. It says
 * when it is loaded, and then what is wrong with each answer. A schema that cannot be compiled is the graph's fault, not
 * the person's: the graph sees the answer as it is.
 */
const PROGRAM = `
  const { parentPort, workerData } = require("node:worker_threads");
  import(workerData.ajv).then(({ Ajv2020 }) => {
    const open = () => new Ajv2020({ allErrors: true, strict: false, logger: false, validateFormats: false });
    const findFaults = ({ schema, value }) => {
      let fits;
      try {
        fits = open().compile(schema);
      } catch {
        return [];
      }
      return fits(value)
        ? []
        : fits.errors.map((fault) => "answers" + fault.instancePath.replaceAll("/", ".") + " " + fault.message);
    };
    // The first check of a process is slow whatever its schema: it is no part of the time that the others have.
    findFaults({ schema: { type: "object", properties: { warm: { type: "string" } } }, value: { warm: 1 } });
    parentPort.postMessage("loaded");
    parentPort.postMessage(workerData.checks.map(findFaults));
  });`;

/**
 * Checks answers against the schemas of their questions, in a thread of its own: a schema is a graph's, and may hold a
 * pattern that takes for ever on some text.
 * @throws InvalidAnswerError when an answer does not fit, or the check takes more than 250 ms of a processor.
 */
export async function checkAnswers(given: readonly AnswerCheck[]): Promise<void> {
  const checks = given.filter(({ schema }) => schema !== null && schema !== undefined);
  if (checks.length === 0) return;
  const found = await runThread(checks);
  if (found === undefined) throw tooExpensive(checks);
  const faults = found.flatMap((list, index) =>
    list.length === 0 ? [] : [`${list.join("; ")} (interrupt ${checks[index]?.interruptId})`],
  );
  if (faults.length > 0) throw new InvalidAnswerError(faults.join("; "));
}

/** What is wrong with each answer; undefined when that is not known in time. */
async function runThread(checks: readonly AnswerCheck[]): Promise<string[][] | undefined> {
  const thread = new Worker(PROGRAM, {
    eval: true,
    execArgv: [],
    workerData: { ajv: import.meta.resolve("ajv/dist/2020.js"), checks },
    resourceLimits: MEMORY,
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve) => {
      const giveUp = () => resolve(undefined);
      thread.on("message", (message: "loaded" | string[][]) => {
        if (message === "loaded") timer = limit(giveUp);
        else resolve(message);
      });
      thread.once("error", giveUp);
      thread.once("exit", giveUp);
    });
  } finally {
    clearInterval(timer);
    await thread.terminate();
  }
}

/** Calls back once the process has used so much that the thread has had its time, also where it had to wait for it. */
function limit(onOver: () => void): NodeJS.Timeout {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  return setInterval(() => {
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1_000 > LIMIT_MS || performance.now() - startedAt > LONGEST_MS) onOver();
  }, LOOK_MS);
}

function tooExpensive(checks: readonly AnswerCheck[]): InvalidAnswerError {
  const ids = checks.map(({ interruptId }) => interruptId).join(", ");
  return new InvalidAnswerError(
    `answers could not be checked within ${LIMIT_MS} ms: the schema of interrupt ${ids} is too expensive for them. Answer more briefly, or simplify the schema in the graph`,
  );
}
