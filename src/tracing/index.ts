/**
 * `tracing/` sends spans over OTLP/HTTP. It owns the OpenTelemetry SDK. It must not know jobs, graphs or the database.
 * Invariants: without an endpoint the SDK is not loaded; an absent collector costs spans and nothing else.
 */
export { openTracer } from "./open-tracer.ts";
export type { OpenTracerOptions, TracingSettings } from "./open-tracer.ts";
export type { Attributes, Span, SpanOptions, TraceContext, Tracer } from "./tracer.ts";
