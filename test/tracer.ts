import { openTracer } from "#tracing";
import type { OpenTracerOptions, Tracer, TracingSettings } from "#tracing";

const SETTINGS: TracingSettings = {
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_TRACES_SAMPLER: "parentbased_always_on",
  OTEL_TRACES_SAMPLER_ARG: 1,
};

/** A tracer that sends to the collector, with its log lines. */
export async function openTestTracer(
  url: string,
  { settings, ...options }: Partial<Omit<OpenTracerOptions, "settings">> & { settings?: Partial<TracingSettings> } = {},
): Promise<{ tracer: Tracer; lines: [object, string][] }> {
  const lines: [object, string][] = [];
  const note = (fields: object, text: string) => void lines.push([fields, text]);
  const tracer = await openTracer({
    settings: { ...SETTINGS, OTEL_EXPORTER_OTLP_ENDPOINT: url, ...settings },
    serviceName: "threadmill-test",
    instanceId: "test",
    describe: (error) => ({ name: "Error", message: String(error) }),
    log: { warn: note, info: note },
    ...options,
  });
  if (!tracer) throw new Error("nothing is traced");
  return { tracer, lines };
}
