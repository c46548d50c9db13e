/**
 * The only reader of the environment. It owns the rule of every setting and checks it at start. It must not know the effect
 * of a setting. Invariant: no value appears in an error, because some values are secrets.
 */
import { MODEL_FAULT, MODEL_PATTERN } from "#shared/model-providers";
import { z } from "zod";
import { readHosts } from "#shared/database-url";

const LOOPBACK_HOSTS = ["127.0.0.1", "::1", "localhost"] as const;

const wholeNumber = (fallback: number, min: number, max: number) =>
  z
    .string()
    .regex(/^[0-9]+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .default(fallback);

const postgresUrl = z.string().superRefine((url, context) => {
  try {
    readHosts(url);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
  }
});

/** Comma-separated `name=value` pairs; the values are percent-encoded, like W3C baggage. */
function readPairs(text: string, context: z.RefinementCtx<string>): Record<string, string> {
  const pairs = text.split(",").map((pair) => {
    const [name = "", ...value] = pair.trim().split("=");
    return [name, value.join("=")] as const;
  });
  try {
    return Object.fromEntries(pairs.map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    context.addIssue({ code: "custom", message: "must have values that are percent-encoded" });
    return z.NEVER;
  }
}

const settingsSchema = z.object({
  HOST: z
    .enum(
      LOOPBACK_HOSTS,
      "must be 127.0.0.1, ::1 or localhost: there are no accounts yet, so only this machine may connect",
    )
    .default("127.0.0.1"),
  PORT: wholeNumber(3000, 1, 65_535),
  DATABASE_URL: postgresUrl.optional(),
  /** A direct connection for LISTEN and migrations, when DATABASE_URL is a transaction-mode pooler. */
  DATABASE_LISTEN_URL: postgresUrl.optional(),
  /** `false` when DATABASE_URL is a transaction-mode pooler. */
  DATABASE_PREPARE: z.enum(["true", "false"], "must be true or false").default("true"),
  DATA_DIR: z.string().default("./.data"),
  WORKER_CONCURRENCY: wholeNumber(10, 1, 1000),
  WORKERS: wholeNumber(1, 0, 64),
  LEASE_MS: wholeNumber(30_000, 1_000, 3_600_000),
  HEARTBEAT_MS: wholeNumber(10_000, 100, 1_200_000),
  POLL_MIN_MS: wholeNumber(250, 10, 60_000),
  POLL_MAX_MS: wholeNumber(30_000, 100, 600_000),
  SHUTDOWN_GRACE_MS: wholeNumber(30_000, 0, 3_600_000),
  JOB_TIMEOUT_MS: wholeNumber(1_800_000, 100, 86_400_000),
  RETRY_BASE_MS: wholeNumber(1_000, 0, 3_600_000),
  RETRY_CAP_MS: wholeNumber(600_000, 0, 86_400_000),
  /** Completed and cancelled jobs are kept this long after their end, failed jobs below; 30 and 90 days. */
  RETENTION_COMPLETED_MS: wholeNumber(2_592_000_000, 1_000, 315_360_000_000),
  RETENTION_FAILED_MS: wholeNumber(7_776_000_000, 1_000, 315_360_000_000),
  MODEL: z.string().regex(MODEL_PATTERN, MODEL_FAULT).optional(),
  /** US dollars for a million tokens of `MODEL` as `input:output`; unset, costs are not counted. */
  MODEL_PRICE: z
    .string()
    .regex(/^\d+(\.\d+)?:\d+(\.\d+)?$/, "must be input:output in US dollars for a million tokens, such as 0.15:0.60")
    .transform((text) => {
      const [input = 0, output = 0] = text.split(":").map(Number);
      return { input, output };
    })
    .optional(),
  /** The `langgraph.json` of the graphs to chat with; unset, `./langgraph.json` if it exists. */
  LANGGRAPH_CONFIG: z.string().optional(),
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: z.url("must be a URL such as http://127.0.0.1:8000/v1").optional(),
  ANTHROPIC_API_KEY: z.string().optional(),
  ANTHROPIC_BASE_URL: z.url("must be a URL").optional(),
  OLLAMA_BASE_URL: z.url("must be a URL such as http://127.0.0.1:11434").optional(),
  /** Spans are sent to `/v1/traces` below it; unset, nothing is traced. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: "must be a URL such as http://127.0.0.1:4318" })
    .optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .enum(
      ["http/protobuf", "http/json"],
      "must be http/protobuf or http/json: spans are sent over HTTP, and most collectors listen for it on port 4318",
    )
    .default("http/protobuf"),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .regex(/^[^=,\s]+=[^,]*(,\s*[^=,\s]+=[^,]*)*$/, "must be name=value, several separated by commas")
    .transform(readPairs)
    .optional(),
  OTEL_SERVICE_NAME: z.string().optional(),
  OTEL_TRACES_SAMPLER: z
    .enum(
      [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
      ],
      "must be always_on, always_off or traceidratio, or one of them after parentbased_",
    )
    .default("parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d+)?|1(\.0+)?)$/, "must be a number from 0 to 1")
    .transform(Number)
    .default(1),
  LOG_LEVEL: z
    .enum(
      ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
      "must be fatal, error, warn, info, debug, trace or silent",
    )
    .default("info"),
});

/** The checked settings of a process; unset optional settings are absent. */
export type Settings = z.infer<typeof settingsSchema>;

/** A setting is at fault. The message is one line that names it and the remedy. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** A process exits with this code when a setting is at fault (EX_CONFIG of sysexits.h): a restart would fail as well. */
export const BAD_SETTINGS_EXIT_CODE = 78;

/**
 * Reads and checks the settings. An empty value counts as unset.
 * @throws SettingsError naming every bad variable and its rule.
 */
export function loadEnv(source: NodeJS.ProcessEnv = process.env): Settings {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new SettingsError(`Bad setting: ${faults.join("; ")}`);
  }
  const settings = parsed.data;
  if (settings.HEARTBEAT_MS * 2 > settings.LEASE_MS) {
    throw new SettingsError(
      "Bad setting: HEARTBEAT_MS must be at most half of LEASE_MS, or one late heartbeat loses the lease",
    );
  }
  if (settings.POLL_MIN_MS > settings.POLL_MAX_MS) {
    throw new SettingsError("Bad setting: POLL_MIN_MS must not be greater than POLL_MAX_MS");
  }
  return settings;
}

/** Sets the variables that are still unset in this process, for code that is loaded later and reads them itself. */
export function fillEnv(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) process.env[name] ??= value;
}
