/** The attributes of a span; null and undefined values are left out. */
export type Attributes = Record<string, string | number | boolean | null | undefined>;

/** `traceparent` and optionally `tracestate`; empty when there is no trace to join. */
export type TraceContext = Readonly<Record<string, string>>;

export interface SpanOptions {
  /** `internal` unless given. */
  kind?: "internal" | "producer" | "consumer" | "client";
  attributes?: Attributes;
  /** The parent span, of this or another process; the active span unless given. */
  parent?: Span | TraceContext;
  /** Related spans of other traces; empty contexts are ignored. */
  links?: readonly TraceContext[];
  /** The start in milliseconds since 1970; now unless given. */
  startMs?: number;
}

/** One piece of work, exported when it ends. */
export interface Span {
  readonly traceId: string;
  /** The context with which another process joins the trace. */
  readonly context: TraceContext;
  set: (attributes: Attributes) => void;
  /** Marks the span as failed, with the error as `describe` returns it. */
  fail: (error: unknown) => void;
  end: () => void;
  /** Runs work with this span active. `innermost` names the child span that is active at the moment of the call. */
  run: <T>(work: () => T, innermost?: () => Span | undefined) => T;
}

export interface Tracer {
  start: (name: string, options?: SpanOptions) => Span;
  /** Sends the remaining spans, for up to 2 s. Never rejects. */
  close: () => Promise<void>;
}
