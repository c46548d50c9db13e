import { trace } from "@opentelemetry/api";
import type { Context, Span } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";

/**
 * Keeps the active context across asynchronous calls. A context can be refined: while it is active, the span that its owner
 * names at that moment replaces its own span. A context opened by the code inside takes precedence.
 */
export class InnermostContextManager extends AsyncLocalStorageContextManager {
  readonly #innermost = new WeakMap<Context, () => Span | undefined>();

  /** `innermost` is called whenever `own` is active; undefined keeps the span of `own`. */
  refine(own: Context, innermost: () => Span | undefined): void {
    this.#innermost.set(own, innermost);
  }

  override active(): Context {
    const own = super.active();
    const span = this.#innermost.get(own)?.();
    return span ? trace.setSpan(own, span) : own;
  }
}
