import {
  context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { Context, Link, Span as ApiSpan, Tracer as ApiTracer } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Sampler, SpanExporter } from "@opentelemetry/sdk-trace";
import { InnermostContextManager } from "./innermost-context.ts";
import type { OpenTracerOptions, TracingSettings } from "./open-tracer.ts";
import type { Attributes, Span, SpanOptions, TraceContext, Tracer } from "./tracer.ts";
import { WatchedExporter } from "./watched-exporter.ts";

const CLOSE_MS = 2_000;
const KINDS = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
};
const ROOT_SAMPLERS = {
  always_on: () => new AlwaysOnSampler(),
  always_off: () => new AlwaysOffSampler(),
  traceidratio: (ratio: number) => new TraceIdRatioBasedSampler(ratio),
};
const PARENT_BASED = /^parentbased_/;
const PROPAGATOR = new W3CTraceContextPropagator();

/** Starts tracing to the exporter, including the spans that other code of the process creates with OpenTelemetry. */
export function startTracer(options: OpenTracerOptions, exporter: SpanExporter): Tracer {
  const { settings, serviceName, instanceId, describe, log } = options;
  const provider = new TracerProvider({
    sampler: chooseSampler(settings),
    resource: defaultResource()
      .merge(resourceFromAttributes({ "service.name": serviceName, "service.instance.id": instanceId }))
      .merge(detectResources({ detectors: [envDetector] }))
      .merge(resourceFromAttributes(settings.OTEL_SERVICE_NAME ? { "service.name": settings.OTEL_SERVICE_NAME } : {})),
    spanProcessors: [new BatchSpanProcessor({ exporter: new WatchedExporter(exporter, settings, log) })],
  });
  const manager = new InnermostContextManager();
  // An agent may have set up OpenTelemetry already. Its spans and ours still join, because both read the active span.
  const undo = [
    context.setGlobalContextManager(manager) && (() => context.disable()),
    trace.setGlobalTracerProvider(provider) && (() => trace.disable()),
    propagation.setGlobalPropagator(PROPAGATOR) && (() => propagation.disable()),
  ].filter((step) => step !== false);
  const tracer = provider.getTracer("threadmill");
  return {
    start: (name, spanOptions = {}) => startSpan({ tracer, manager, describe }, name, spanOptions),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const over = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      });
      // The exporter has logged any failure by then.
      await Promise.race([provider.shutdown().catch(() => undefined), over]);
      clearTimeout(timer);
      for (const step of undo) step();
    },
  };
}

/**
 * The sampler that the settings name. A parent-based sampler keeps the decision of the trace's caller.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
 */
function chooseSampler({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }: TracingSettings): Sampler {
  const root = ROOT_SAMPLERS[name.replace(PARENT_BASED, "") as keyof typeof ROOT_SAMPLERS](ratio);
  return PARENT_BASED.test(name) ? new ParentBasedSampler({ root }) : root;
}

interface SpanDeps extends Pick<OpenTracerOptions, "describe"> {
  tracer: ApiTracer;
  manager: InnermostContextManager;
}

function startSpan(deps: SpanDeps, name: string, spanOptions: SpanOptions) {
  const { kind = "internal", attributes = {}, parent, links = [], startMs } = spanOptions;
  const span = deps.tracer.startSpan(
    name,
    {
      kind: KINDS[kind],
      attributes: present(attributes),
      links: links.flatMap(toLink),
      ...(startMs !== undefined && { startTime: startMs }),
    },
    contextOf(parent),
  );
  return new OtlpSpan(deps, span);
}

function contextOf(parent: SpanOptions["parent"]): Context {
  if (parent === undefined) return context.active();
  if (parent instanceof OtlpSpan) return parent.inner;
  return PROPAGATOR.extract(context.active(), parent, defaultTextMapGetter);
}

function toLink(linked: TraceContext): Link[] {
  const found = trace.getSpanContext(PROPAGATOR.extract(ROOT_CONTEXT, linked, defaultTextMapGetter));
  return found === undefined ? [] : [{ context: found }];
}

class OtlpSpan implements Span {
  /** The context of its child spans. */
  readonly inner: Context;
  readonly #deps: SpanDeps;
  readonly #span: ApiSpan;

  constructor(deps: SpanDeps, span: ApiSpan) {
    this.#deps = deps;
    this.#span = span;
    this.inner = trace.setSpan(ROOT_CONTEXT, span);
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get context(): TraceContext {
    const carrier: Record<string, string> = {};
    PROPAGATOR.inject(this.inner, carrier, defaultTextMapSetter);
    return carrier;
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(present(attributes));
  }

  fail(error: unknown): void {
    const { name, message, stack } = this.#deps.describe(error);
    this.#span.recordException({ name, message, ...(stack && { stack }) });
    this.#span.setAttribute("error.type", name);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
  }

  end(): void {
    this.#span.end();
  }

  run<T>(work: () => T, innermost?: () => Span | undefined): T {
    const own = trace.setSpan(context.active(), this.#span);
    if (innermost) {
      this.#deps.manager.refine(own, () => {
        const part = innermost();
        return part instanceof OtlpSpan ? part.#span : undefined;
      });
    }
    return context.with(own, work);
  }
}

function present(attributes: Attributes): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(attributes).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined && entry[1] !== null,
    ),
  );
}
