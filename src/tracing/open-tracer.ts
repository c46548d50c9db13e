import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Tracer } from "./tracer.ts";

/** The settings of tracing, under OpenTelemetry's names. */
export interface TracingSettings {
  /** Unset, nothing is traced. */
  OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" | "http/json";
  OTEL_EXPORTER_OTLP_HEADERS?: Record<string, string> | undefined;
  OTEL_SERVICE_NAME?: string | undefined;
  OTEL_TRACES_SAMPLER: SamplerName;
  /** The ratio of `traceidratio`, from 0 to 1. */
  OTEL_TRACES_SAMPLER_ARG: number;
}

type RootSampler = "always_on" | "always_off" | "traceidratio";
type SamplerName = RootSampler | `parentbased_${RootSampler}`;

export interface OpenTracerOptions {
  settings: TracingSettings;
  /** The service's name unless the settings have one. */
  serviceName: string;
  /** Distinguishes this process from others of the service. */
  instanceId: string;
  /** Describes an error for spans: bounded and without secrets. */
  describe: (error: unknown) => { name: string; message: string; stack?: string | null };
  /** Gets one line when sending spans begins to fail, and one when it works again. */
  log: { warn: (fields: object, text: string) => void; info: (fields: object, text: string) => void };
  /** The longest time of one batch, in milliseconds; unless given, OpenTelemetry's own setting or 10,000. */
  exportTimeoutMs?: number;
}

/** Starts tracing. Undefined without an endpoint; then OpenTelemetry's SDK is not loaded. */
export async function openTracer(options: OpenTracerOptions): Promise<Tracer | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = options.settings;
  if (endpoint === undefined) return undefined;
  const { startTracer } = await import("./otlp-tracer.ts");
  return startTracer(options, await openExporter(endpoint, options));
}

async function openExporter(endpoint: string, { settings, exportTimeoutMs }: OpenTracerOptions): Promise<SpanExporter> {
  const config = {
    url: new URL("v1/traces", endpoint.endsWith("/") ? endpoint : `${endpoint}/`).href,
    headers: settings.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    ...(exportTimeoutMs !== undefined && { timeoutMillis: exportTimeoutMs }),
  };
  const { OTLPTraceExporter } =
    settings.OTEL_EXPORTER_OTLP_PROTOCOL === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  return new OTLPTraceExporter(config);
}
