import { ExportResultCode } from "@opentelemetry/core";
import type { ExportResult } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { OpenTracerOptions, TracingSettings } from "./open-tracer.ts";

/** Tells the log when spans can no longer be sent and when they can be again, however many batches that takes. */
export class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #collector: string;
  readonly #log: OpenTracerOptions["log"];
  #away = false;

  constructor(exporter: SpanExporter, settings: TracingSettings, log: OpenTracerOptions["log"]) {
    this.#exporter = exporter;
    // The origin alone: the rest of an address may hold a secret.
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
    const away = code !== ExportResultCode.SUCCESS;
    if (away === this.#away) return;
    this.#away = away;
    const fields = { collector: this.#collector };
    if (!away) this.#log.info(fields, "spans are sent again");
    else this.#log.warn({ ...fields, ...reasonOf(error) }, "spans cannot be sent and are dropped until they can be");
  }
}

/** The code of a network error or an HTTP status; the text of an answer may hold anything. */
function reasonOf(error: unknown): { reason?: string | number } {
  if (typeof error !== "object" || error === null || !("code" in error)) return {};
  const { code } = error;
  return typeof code === "string" || typeof code === "number" ? { reason: code } : {};
}
