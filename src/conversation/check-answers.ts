import { InvalidAnswerError } from "#queue";
import { Worker } from "node:worker_threads";

/** An answer and its JSON Schema; a null schema accepts any JSON value. */
export interface AnswerCheck {
  interruptId: string;
  schema: unknown;
  value: unknown;
}

/** The most processor time of a check, in milliseconds. */
const LIMIT_MS = 250;
/** The longest check by the clock, for a busy machine, in milliseconds. */
const LONGEST_MS = 10_000;
const LOOK_MS = 50;
const MEMORY = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

/**
 * The thread's program, as text, because a thread does not inherit this process's TypeScript loader. It posts "loaded",
 * then the faults of each answer. If a schema does not compile, the graph gets the answer unchecked: the schema is the
 * graph's fault, not the person's.
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
    // The first check is slow for any schema, so it must not count against the limit.
    findFaults({ schema: { type: "object", properties: { warm: { type: "string" } } }, value: { warm: 1 } });
    parentPort.postMessage("loaded");
    parentPort.postMessage(workerData.checks.map(findFaults));
  });`;

/**
 * Checks answers against their schemas in a separate thread, because a pattern in a schema may never end on some text.
 * @throws InvalidAnswerError when an answer does not fit, or the check takes more than 250 ms of processor time.
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

/** The faults of each answer; undefined when the check was stopped. */
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
        if (message === "loaded") timer = startLimit(giveUp);
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

/** Calls back when the process has used `LIMIT_MS` of processor time, or after `LONGEST_MS` by the clock. */
function startLimit(onOver: () => void): NodeJS.Timeout {
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
