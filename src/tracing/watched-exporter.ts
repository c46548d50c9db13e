import { ExportResultCode } from "@opentelemetry/core";
import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { OpenTracerOptions, TracingSettings } from "./open-tracer.ts";

/** Logs once when sending spans begins to fail and once when it works again, not for each batch. */
export class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #collector: string;
  readonly #log: OpenTracerOptions["log"];
  #isAway = false;

  constructor(exporter: SpanExporter, settings: TracingSettings, log: OpenTracerOptions["log"]) {
    this.#exporter = exporter;
    // Only the origin: the rest of a URL may hold a secret.
    this.#collector = new URL(settings.OTEL_EXPORTER_OTLP_ENDPOINT ?? "").origin;
    this.#log = log;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      this.#note(result);
      done(result);
    });
  }

  async shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #note({ code, error }: ExportResult): void {
    const isAway = code !== ExportResultCode.SUCCESS;
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    const fields = { collector: this.#collector };
    if (!isAway) this.#log.info(fields, "spans are sent again");
    else this.#log.warn({ ...fields, ...reasonOf(error) }, "spans cannot be sent and are dropped until they can be");
  }
}

/** The code of a network error or an HTTP status; never the text of a response, which may hold secrets. */
function reasonOf(error: unknown): { reason?: string | number } {
  if (typeof error !== "object" || error === null || !("code" in error)) return {};
  const { code } = error;
  return typeof code === "string" || typeof code === "number" ? { reason: code } : {};
}
