import { trace } from "@opentelemetry/api";
import type { Context, Span } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";

/**
 * Keeps the active context across asynchronous calls. While a refined context is active, the span that `innermost` returns
 * replaces the context's own span. A context that inner code opens takes precedence.
 */
export class InnermostContextManager extends AsyncLocalStorageContextManager {
  readonly #innermost = new WeakMap<Context, () => Span | undefined>();

  /** Refines `own`. `innermost` is called whenever `own` is active; undefined keeps the span of `own`. */
  refine(own: Context, innermost: () => Span | undefined): void {
    this.#innermost.set(own, innermost);
  }

  override active(): Context {
    const own = super.active();
    const span = this.#innermost.get(own)?.();
    return span ? trace.setSpan(own, span) : own;
  }
}
