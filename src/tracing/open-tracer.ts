import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Tracer } from "./tracer.ts";

/** The settings of tracing, by the names that OpenTelemetry gives them. */
export interface TracingSettings {
  /** Unset, nothing is traced. */
  OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" | "http/json";
  OTEL_EXPORTER_OTLP_HEADERS?: Record<string, string> | undefined;
  OTEL_SERVICE_NAME?: string | undefined;
  OTEL_TRACES_SAMPLER: SamplerName;
  /** From 0 to 1, of the samplers by ratio. */
  OTEL_TRACES_SAMPLER_ARG: number;
}

type RootSampler = "always_on" | "always_off" | "traceidratio";
type SamplerName = RootSampler | `parentbased_${RootSampler}`;

export interface OpenTracerOptions {
  settings: TracingSettings;
  /** The service's name where the settings give none. */
  serviceName: string;
  /** Tells this process from others of the service. */
  instanceId: string;
  /** An error as it may be shown: bounded, without secrets. */
  describe: (error: unknown) => { name: string; message: string; stack?: string | null };
  /** Told once when spans cannot be sent, and once when they can be again. */
  log: { warn: (fields: object, text: string) => void; info: (fields: object, text: string) => void };
  /** How long one batch may take, in milliseconds; what OpenTelemetry's own setting says, or 10,000, unless given. */
  exportTimeoutMs?: number;
}

/** Begins to trace; undefined where no endpoint is set. OpenTelemetry's SDK is loaded only where one is. */
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
