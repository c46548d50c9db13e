import type { ClaimedJob } from "#queue";
import { expect, test } from "vitest";
import { describeError } from "./run/describe-error.ts";
import { AttemptRun } from "./run/attempt-run.ts";
import type { RunEnvironment } from "./run/attempt-run.ts";
import { openLog } from "./open-log.ts";

function open() {
  const lines: string[] = [];
  const log = openLog("info", { process: "worker", workerId: "w1" }, { write: (line) => void lines.push(line) });
  return { log, lines };
}

test("a run's log lines name the worker, the job and the attempt, each once", () => {
  const { log, lines } = open();
  const job = { jobId: "j1", threadId: "t1", attempt: 2, jobType: "greet", workerId: "w1" } as ClaimedJob;
  new AttemptRun(job, { log } as RunEnvironment).log.info("job completed");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ process: "worker", workerId: "w1", jobId: "j1", attempt: 2 });
  for (const key of ["workerId", "jobId", "attempt"]) expect(lines[0]?.split(`"${key}":`)).toHaveLength(2);
});

test("an error in the log has its class as type and no secret, also when it was described before", () => {
  const { log, lines } = open();
  const error = new RangeError("password=hunter2");
  log.error({ err: describeError(error) }, "failed");
  log.error({ err: error }, "failed");
  for (const line of lines) {
    const stack = expect.stringMatching(/^RangeError: password=\*\*\*\n/) as string;
    expect((JSON.parse(line) as { err: unknown }).err).toEqual({ type: "RangeError", message: "password=***", stack });
    expect(line).not.toContain("hunter2");
  }
  expect(lines).toHaveLength(2);
});
