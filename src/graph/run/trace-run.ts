import { AsyncLocalStorageProviderSingleton } from "@langchain/core/singletons";
import type { CallbackManager } from "@langchain/core/callbacks/manager";
import type { Tracer } from "#tracing";
import { DrainedError } from "../errors.ts";
import { SpanHandler } from "./span-handler.ts";
import type { Ending } from "../turn.ts";

/** Runs a graph within a span. The handler adds a child span for each node, model call and tool call. */
export async function traceRun(
  tracer: Tracer,
  run: (handler: SpanHandler) => Promise<Ending<unknown>>,
): Promise<Ending<unknown>> {
  const span = tracer.start("graph");
  const handler = new SpanHandler(tracer, span);
  try {
    const ending = await span.run(
      async () => run(handler),
      () => handler.spanOf(currentRunId()),
    );
    span.set({ "threadmill.graph.outcome": ending.waits ? "waiting" : "finished" });
    return ending;
  } catch (error) {
    if (error instanceof DrainedError) span.set({ "threadmill.graph.outcome": "drained" });
    else span.fail(error);
    throw error;
  } finally {
    handler.close();
    span.end();
  }
}

/** LangChain's id of the run that the calling code belongs to. */
function currentRunId(): string | undefined {
  const config: unknown = AsyncLocalStorageProviderSingleton.getRunnableConfig();
  const callbacks = (config as { callbacks?: Partial<CallbackManager> } | undefined)?.callbacks;
  return callbacks?.getParentRunId?.();
}
