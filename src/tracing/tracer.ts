/** What a span tells besides its name and times; what is null or undefined is left out. */
export type Attributes = Record<string, string | number | boolean | null | undefined>;

/** `traceparent`, and `tracestate` where there is one; empty where nothing is to be joined. */
export type TraceContext = Readonly<Record<string, string>>;

export interface SpanOptions {
  /** `internal` unless given. */
  kind?: "internal" | "producer" | "consumer" | "client";
  attributes?: Attributes;
  /** The span, or the other process's, that this one is part of; what runs here unless given. */
  parent?: Span | TraceContext;
  /** Spans of other traces that it has to do with; empty contexts are none. */
  links?: readonly TraceContext[];
  /** When it began, in milliseconds since 1970; now unless given. */
  startMs?: number;
}

/** One piece of work, told of once it ends. */
export interface Span {
  readonly traceId: string;
  /** What another process needs to join. */
  readonly context: TraceContext;
  set: (attributes: Attributes) => void;
  /** Marks it as failed, with the error as the tracer describes it. */
  fail: (error: unknown) => void;
  end: () => void;
  /** Runs the work as part of it; `innermost` says which of its parts runs where OpenTelemetry is asked. */
  run: <T>(work: () => T, innermost?: () => Span | undefined) => T;
}

export interface Tracer {
  start: (name: string, options?: SpanOptions) => Span;
  /** Sends what is left, for two seconds at the most; never rejects. */
  close: () => Promise<void>;
}
