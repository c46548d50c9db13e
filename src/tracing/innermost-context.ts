import { trace } from "@opentelemetry/api";
import type { Context, Span } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";

/**
 * Keeps the active context along asynchronous calls. One context can be refined: where it is the active one, the span
 * that its owner names at that moment takes the place of its own. A context that the code within has opened wins.
 */
export class InnermostContextManager extends AsyncLocalStorageContextManager {
  readonly #innermost = new WeakMap<Context, () => Span | undefined>();

  /** `innermost` is asked whenever `own` is the active context; undefined leaves it as it is. */
  refine(own: Context, innermost: () => Span | undefined): void {
    this.#innermost.set(own, innermost);
  }

  override active(): Context {
    const own = super.active();
    const span = this.#innermost.get(own)?.();
    return span ? trace.setSpan(own, span) : own;
  }
}
