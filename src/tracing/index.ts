/**
 * Spans of what the product does, sent over OTLP/HTTP. It owns the OpenTelemetry SDK; it must never know jobs, graphs or
 * the database. Invariants: without an endpoint nothing is loaded; a collector that is away costs spans, nothing else.
 */
export { openTracer } from "./open-tracer.ts";
export type { OpenTracerOptions, TracingSettings } from "./open-tracer.ts";
export type { Attributes, Span, SpanOptions, TraceContext, Tracer } from "./tracer.ts";
